// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_vm_assist: modes that a guest may switch on. Those without a meaning for 64-bit guests
// are accepted all the same, as on Xen. Source: xen/include/public/xen.h, VMASST_TYPE_*.
#include "core/hypercall.hpp"
#include "core/partition.hpp"

namespace bulkhead {

namespace {

constexpr uint64_t bit(unsigned type) { return uint64_t{1} << type; }

constexpr uint64_t offered = bit(VMASST_TYPE_4gb_segments) | bit(VMASST_TYPE_4gb_segments_notify)
    | bit(VMASST_TYPE_writable_pagetables) | bit(VMASST_TYPE_pae_extended_cr3) | bit(VMASST_TYPE_architectural_iopl)
    | bit(VMASST_TYPE_runstate_update_flag) | bit(VMASST_TYPE_m2p_strict);

}  // namespace

long do_vm_assist(Vcpu& vcpu, HypercallArguments& arguments)
{
    const auto command = static_cast<uint32_t>(arguments.value[0]);
    const auto type = static_cast<uint32_t>(arguments.value[1]);
    if (type >= 64 || (offered >> type & 1) == 0)
        return negative(XEN_EINVAL);
    Partition& partition = *vcpu.partition;
    const LockGuard guard(partition.memory.lock);
    switch (command) {
    case VMASST_CMD_enable:
        partition.vm_assist |= bit(type);
        return 0;
    case VMASST_CMD_disable:
        partition.vm_assist &= ~bit(type);
        return 0;
    default:
        return negative(XEN_ENOSYS);
    }
}

}  // namespace bulkhead
