// SPDX-License-Identifier: BSD-2-Clause
// Setting the clock up; reading it is in machine/clock.hpp.
#pragma once

#include "core/types.hpp"

#include <cstdint>

namespace bulkhead {

// Measuring takes some milliseconds, in which other things can be done.
void begin_clock_calibration(TscTicks entry);
void finish_clock_calibration();
[[nodiscard]] const char* reference_clock_name();
[[nodiscard]] uint64_t apic_timer_hz();
// Whether all CPUs' TSCs agree; decided when the CPUs have started.
void set_clock_stable(bool stable);
// The wall clock is known to half a second until the real-time clock's next second begins. Lives of
// partitions that begin later have the better one.
void start_wall_clock_refinement();
// That interrupt came. CPU 0.
void wall_clock_second();
// Measures once more, as soon as the first measurement is seconds ago. CPU 0 only; cheap otherwise.
void refine_clock_once();

}  // namespace bulkhead
