// SPDX-License-Identifier: BSD-2-Clause
// Interrupts of this machine; handle_interrupt() itself is declared with the other entry points.
#pragma once

#include <cstdint>

namespace bulkhead {

// On each CPU, once its local APIC is on and the clock is calibrated.
void start_timer();

// Counters for the monitor.
[[nodiscard]] uint64_t interrupt_count(uint8_t vector);

}  // namespace bulkhead
