// SPDX-License-Identifier: BSD-2-Clause
// What AMD-V leaves to software between a guest and its events: when an NMI may come, the task priority that
// the guest changes without leaving, and writes to CR4. Own CPU, the vCPU is loaded or is being reset.
#pragma once

#include "hvm/cpu/hardware_vcpu.hpp"
#include "hvm/cpu/svm_control.hpp"

namespace bulkhead::svm {

void reset_events(Vmcb& block);

// Around an entry whose virtual_interrupt is other than virtual_masking alone, or is to be; `next` goes in.
void before_entry(Vmcb& block, const Injection& next, const LocalApic& apic);
void after_exit(Vmcb& block, LocalApic& apic);
// An exit has interrupted its delivery.
void forget_nmi(Vmcb& block);
// Of a debug exception: it was the core's own step, and the guest is not to know of it.
[[nodiscard]] bool was_own_step(Vmcb& block);

// False: not before the handler's IRET or the instruction after MOV SS; the guest leaves then.
[[nodiscard]] bool can_take_nmi(Vmcb& block);
// The IRET that leaves the guest is about to end an NMI handler.
void at_iret(Vmcb& block);

// --- The interrupt shadow, on a CPU that forgets it at VMRUN: QEMU 7.2 ---
// A guest that has been interrupted between STI and HLT would take an interrupt before the HLT there, and then
// wait for it. Only the kernel's HLT without prefixes is looked for: to other code it makes no difference, but
// between MOV SS and the stack pointer's change, where 64-bit code has nothing to fear.
[[nodiscard]] bool halts_in_shadow(const Vcpu& vcpu, const Vmcb& block);
// After an exit of a guest that was entered in a shadow, at `entered_at`.
void keep_shadow(const Vcpu& vcpu, Vmcb& block, uint64_t entered_at);

// MOV to or from a control register that has left the guest. No bytes: it is not there any more.
struct ControlMove {
    unsigned bytes;
    uint8_t general_register;
};
[[nodiscard]] ControlMove control_move(const Vcpu& vcpu, const Vmcb& block, const GuestFrame& frame, bool write);
// False: the guest may not have such a value.
[[nodiscard]] bool write_cr4(Vcpu& vcpu, Vmcb& block, uint64_t value);
// As the guest has it. MCE is on for the CPU always, or a machine check would shut the guest down, not leave it.
[[nodiscard]] uint64_t read_cr4(const Vmcb& block);

// As the guest has it. LMA follows by itself.
[[nodiscard]] uint64_t read_efer(const Vmcb& block);
void write_efer(Vmcb& block, uint64_t value);

}  // namespace bulkhead::svm
