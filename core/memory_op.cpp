// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_memory_op. Source: xen/include/public/memory.h.
#include "core/domain_argument.hpp"
#include "core/frame_references.hpp"
#include "core/hypercall.hpp"
#include "core/memory_map_reply.hpp"
#include "core/memory_reservation.hpp"
#include "core/partition.hpp"
#include "machine/memory.hpp"
#include "platform/x86/layout.hpp"

#include <algorithm>

extern "C" {
#include <xen/memory.h>
}

namespace bulkhead {

namespace {

Result<> check_domain_argument(const Partition& partition, GuestVirtual argument)
{
    domid_t domain;
    if (!machine::read_guest(domain, argument))
        return fail(XEN_EFAULT);
    return check_self(partition, domain);
}

// One range of RAM: a partition has no devices in its pseudo-physical space.
Result<> write_own_memory_map(const Partition& partition, GuestVirtual argument)
{
    const E820Entry all[] = {ram_entry(0, partition.memory.max_frames)};
    return write_memory_map(argument, all);
}

Result<> write_machphys_mapping(GuestVirtual argument)
{
    const xen_machphys_mapping_t mapping{layout::m2p_guest, MACH2PHYS_VIRT_END,
                                         (MACH2PHYS_VIRT_END - layout::m2p_guest) / sizeof(uint64_t) - 1};
    static_assert(layout::m2p_guest == MACH2PHYS_VIRT_START);
    if (!machine::write_guest(argument, mapping))
        return fail(XEN_EFAULT);
    return {};
}

// What the guest itself says in its shared info.
Result<long> highest_pfn(const Partition& partition)
{
    const uint64_t frames = std::atomic_ref(partition.shared->arch.max_pfn).load(std::memory_order_relaxed);
    return static_cast<long>(std::max<uint64_t>(frames, 1) - 1);
}

Result<long> query(const Partition& partition, unsigned operation, GuestVirtual argument)
{
    TRY_VOID(check_domain_argument(partition, argument));
    switch (operation) {
    case XENMEM_current_reservation:
        return static_cast<long>(partition.memory.frames);
    case XENMEM_maximum_reservation:
        return static_cast<long>(partition.memory.max_frames);
    default:
        return highest_pfn(partition);
    }
}

}  // namespace

long do_memory_op(Vcpu& vcpu, HypercallArguments& arguments)
{
    const auto command = static_cast<uint32_t>(arguments.value[0]);
    const GuestVirtual argument(arguments.value[1]);
    const Partition& partition = *vcpu.partition;
    const unsigned operation = command & operation_mask;
    const uint32_t start = command >> extent_shift;
    switch (operation) {
    case XENMEM_increase_reservation:
    case XENMEM_decrease_reservation:
    case XENMEM_populate_physmap:
        return change_reservation(vcpu, operation, start, arguments);
    case XENMEM_exchange:
        return exchange_memory(vcpu, arguments);
    case XENMEM_maximum_ram_page:
        return static_cast<long>(frame::installed_end);
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn:
        return to_return_value(query(partition, operation, argument));
    case XENMEM_memory_map:
        return to_return_value(write_own_memory_map(partition, argument));
    case XENMEM_machphys_mapping:
        return to_return_value(write_machphys_mapping(argument));
    // For domains whose physical addresses the hypervisor translates.
    case XENMEM_add_to_physmap:
    case XENMEM_add_to_physmap_batch:
    case XENMEM_remove_from_physmap:
        return negative(XEN_EACCES);
    // For the domain that controls others.
    case XENMEM_machine_memory_map:
        return negative(XEN_EPERM);
    // XENMEM_machphys_mfn_list among them: the table is not made of large pages here.
    default:
        return negative(XEN_ENOSYS);
    }
}

}  // namespace bulkhead
