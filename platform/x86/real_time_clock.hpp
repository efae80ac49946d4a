// SPDX-License-Identifier: BSD-2-Clause
// The PC's battery-backed clock.
#pragma once

#include <cstdint>

namespace bulkhead {

// Seconds since 1970 (UTC), 0 if the clock holds no date. Waits at most a few milliseconds, and only
// while the chip is changing its registers; never for a second to begin.
[[nodiscard]] uint64_t read_real_time_clock();

// From here on the chip interrupts (ISA line 8) at the beginning of each second, until told to stop.
void start_second_interrupts();
// Also acknowledges the last one.
void stop_second_interrupts();

}  // namespace bulkhead
