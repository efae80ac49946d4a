// SPDX-License-Identifier: BSD-2-Clause
// What entry.S calls. All run on the vCPU's own CPU with interrupts off; the frame is the guest's.
#pragma once

#include "core/guest_frame.hpp"
#include "core/vcpu.hpp"

namespace bulkhead {

extern "C" {

// An event is pending and not masked.
void deliver_event(Vcpu& vcpu, GuestFrame& frame);
// SYSCALL in user mode; the 32-bit form; SYSENTER.
void bounce_syscall(Vcpu& vcpu, GuestFrame& frame);
void bounce_syscall32(Vcpu& vcpu, GuestFrame& frame);
void bounce_sysenter(Vcpu& vcpu, GuestFrame& frame);
// The frame could not be loaded by IRET.
void handle_failed_return(Vcpu& vcpu, GuestFrame& frame);
// The iret hypercall.
void guest_iret_hypercall(Vcpu& vcpu, GuestFrame& frame);
// Exceptions in ring 3 (vector in the frame), and #PF apart because it is frequent.
void handle_guest_exception(GuestFrame& frame);
void handle_guest_page_fault(GuestFrame& frame);
// Exceptions in ring 0 that are not NMI, #DF or #MC.
void handle_core_exception(GuestFrame& frame);
// NMI, #DF and #MC, wherever they came from, on their own stacks.
void handle_own_stack_exception(GuestFrame& frame);
// Cpu::work is not zero: switches vCPUs, runs timers, idles. Returns with a vCPU to run.
void guest_work(GuestFrame& frame);
long dispatch_hypercall(Vcpu& vcpu, uint64_t number, HypercallArguments& arguments);
void handle_interrupt(uint8_t vector);
[[noreturn]] void enter_guests();

}  // extern "C"

void deliver_nmi(Vcpu& vcpu, GuestFrame& frame);

}  // namespace bulkhead
