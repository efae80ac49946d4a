// SPDX-License-Identifier: BSD-2-Clause
// Entering a PV guest's kernel at a handler of its own: the frame that the ABI describes is pushed
// on the kernel's stack, from user mode after the switch to the kernel's page tables and GS base.
// Source: xen/include/public/arch-x86/xen-x86_64.h, "Stack frame of an exception or event".
#pragma once

#include "core/guest_frame.hpp"
#include "core/vcpu.hpp"
#include "machine/guest_view.hpp"
#include "machine/registers.hpp"

#include <cstdint>

namespace bulkhead {

// Between the guest's kernel and user mode: page tables and GS bases. The vCPU is the current one.
inline void enter_kernel_mode(Vcpu& vcpu)
{
    vcpu.pv.kernel_mode = true;
    machine::swap_gs();
    machine::switch_table(vcpu.pv.kernel_table.raw());
    machine::choose_view(vcpu);
}

inline void enter_user_mode(Vcpu& vcpu)
{
    vcpu.pv.kernel_mode = false;
    machine::swap_gs();
    machine::switch_table(vcpu.pv.user_table.raw());
    machine::choose_view(vcpu);
}

// Makes the guest continue at an exception's handler in its trap table. A missing handler, or a
// stack that cannot be written, ends the partition's life (crash policy).
void inject_exception(Vcpu& vcpu, GuestFrame& frame, uint8_t vector, uint32_t error_code = 0);
// #PF, with the address in vcpu_info and CR2.
void inject_page_fault(Vcpu& vcpu, GuestFrame& frame, uint64_t address, uint32_t error_code);
// `int vector` by the guest through a gate that its dpl allows: a trap, no error code.
void inject_software_interrupt(Vcpu& vcpu, GuestFrame& frame, uint8_t vector);

// The NMI handler has ended (iret, or its callback is gone): another pending one may come.
void end_nmi(Vcpu& vcpu);

}  // namespace bulkhead
