// SPDX-License-Identifier: BSD-2-Clause
// The local APIC of each CPU: interrupts between CPUs, their end, and the one-shot timer. x2APIC mode
// where the CPU has it, else memory-mapped registers.
#pragma once

#include <cstdint>

namespace bulkhead {

// Once, on the boot CPU: chooses the mode and maps the registers.
void init_local_apic();
// On each CPU: accepts interrupts, timer stopped.
void enable_local_apic();
[[nodiscard]] uint32_t local_apic_id();
[[nodiscard]] bool local_apic_is_x2();
// Whether a CPU of this APIC id can be reached at all: ids above 254 need x2APIC mode.
[[nodiscard]] bool local_apic_reaches(uint32_t apic_id);

void end_of_interrupt();
void send_interrupt(uint32_t apic_id, uint8_t vector);
void send_nmi_to_others();
void send_init(uint32_t apic_id);
void send_startup(uint32_t apic_id, uint8_t page);

// The timer counts down at apic_timer_hz() unless it is in TSC deadline mode.
void set_timer_hardware(bool deadline_mode);
void write_timer_count(uint32_t count);
[[nodiscard]] uint32_t read_timer_count();
void write_timer_deadline(uint64_t tsc);

}  // namespace bulkhead
