// SPDX-License-Identifier: BSD-2-Clause
// The local APIC of a hardware vCPU: registers by MSR 0x800 to 0x83f (x2APIC mode; hvm/cpu/xapic.hpp has
// the other), IPIs, SMP start, the timer in all its modes. Its own CPU owns it; other CPUs only set bits of `requests`.
// Source: Intel SDM vol 3, "Advanced Programmable Interrupt Controller (APIC)".
#pragma once

#include "core/types.hpp"

#include <array>
#include <atomic>
#include <cstdint>

namespace bulkhead {

struct Vcpu;

struct LocalApic {
    uint32_t id;                                    // constant
    bool by_page;                                   // xAPIC mode, as the plan says; constant
    std::array<std::atomic<uint32_t>, 8> requests;  // IRR; any CPU
    std::atomic<bool> requested;                    // after a request; taken back by its own CPU when there is none
    std::array<uint32_t, 8> in_service;             // ISR
    uint32_t task_priority;
    uint32_t spurious;                              // SVR: bit 8 enables
    uint32_t error_status;
    std::array<uint32_t, 7> local_vectors;          // CMCI, timer, thermal, performance, LINT0, LINT1, error
    uint32_t timer_initial;
    uint32_t timer_divide;
    uint64_t timer_started;                         // system time, ns, of the count's beginning
    uint64_t deadline;                              // IA32_TSC_DEADLINE
    // xAPIC mode only.
    uint32_t logical_destination;                   // LDR; others read it
    uint32_t destination_format;                    // DFR; others read it
    uint32_t command, command_destination;          // ICR, as last written
};

void reset_apic(LocalApic& apic);
// False: no such register, or a value that the APIC refuses: #GP.
[[nodiscard]] bool read_apic(Vcpu& vcpu, uint32_t msr, uint64_t& value);
[[nodiscard]] bool write_apic(Vcpu& vcpu, uint32_t msr, uint64_t value);
// A fixed interrupt for the vCPU; wakes it. Any CPU.
void request_interrupt(Vcpu& vcpu, uint8_t vector);
// The vector that is to be delivered now by priority, or 0. Own CPU only; looks at nothing if nothing was requested.
[[nodiscard]] uint8_t deliverable_now(LocalApic& apic);
// The same for anybody.
[[nodiscard]] uint8_t deliverable(const LocalApic& apic);
// An interrupt would be delivered if the task priority were lower.
[[nodiscard]] bool waits_for_task_priority(const LocalApic& apic);
[[nodiscard]] inline bool is_held_by_task_priority(const LocalApic& apic)
{
    return apic.task_priority != 0 && waits_for_task_priority(apic);
}
// Its delivery: from requested to in service.
void accept(LocalApic& apic, uint8_t vector);
// The timer's deadline in system time; `never` if it is not set.
[[nodiscard]] Nanoseconds apic_timer_deadline(const Vcpu& vcpu);
void apic_timer_expired(Vcpu& vcpu, Nanoseconds now);

}  // namespace bulkhead
