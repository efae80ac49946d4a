// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_set_trap_table and HYPERVISOR_stack_switch: where a PV kernel wants its exceptions.
// Source: xen/include/public/arch-x86/xen.h, struct trap_info; xen-x86_64.h, "Virtual trap table".
#include "core/hypercall.hpp"
#include "core/pv/traps.hpp"
#include "machine/memory.hpp"
#include "platform/x86/layout.hpp"

namespace bulkhead {

Result<> set_trap(Vcpu& vcpu, const trap_info& trap)
{
    if (!layout::is_canonical(trap.address))
        return fail(XEN_EINVAL);
    vcpu.pv.traps[trap.vector] = {
        .address = trap.address,
        .selector = static_cast<uint16_t>(trap.cs | 3),
        .dpl = static_cast<uint8_t>(TI_GET_DPL(&trap)),
        .masks_events = TI_GET_IF(&trap) != 0,
    };
    return {};
}

long do_set_trap_table(Vcpu& vcpu, HypercallArguments& arguments)
{
    if (arguments.value[0] == 0) {
        vcpu.pv.traps = {};
        return 0;
    }
    // The list ends with an address of zero; a longer one than there are vectors says one twice.
    for (unsigned i = 0; i < vcpu.pv.traps.size(); ++i) {
        trap_info trap;
        if (!machine::read_guest(trap, GuestVirtual(arguments.value[0])))
            return negative(XEN_EFAULT);
        if (trap.address == 0)
            return 0;
        const Result<> result = set_trap(vcpu, trap);
        if (!result.has_value())
            return negative(result.error());
        arguments.value[0] += sizeof(trap);
    }
    return hypercall_continue;
}

long do_stack_switch(Vcpu& vcpu, HypercallArguments& arguments)
{
    if ((arguments.value[0] & 3) != 3)
        arguments.value[0] |= 3;
    vcpu.pv.kernel_ss = static_cast<uint16_t>(arguments.value[0]);
    vcpu.pv.kernel_sp = arguments.value[1];
    return 0;
}

}  // namespace bulkhead
