// SPDX-License-Identifier: BSD-2-Clause
// GNTTABOP_map_grant_ref: another partition's frame into the caller's page tables.
//
// In this order, undone backwards: a handle, a pin of the granter's entry, a reference to the frame,
// the page-table entry. The handle is good for unmapping only when all is done.
#include "core/grant_mappings.hpp"
#include "core/grant_operations.hpp"
#include "core/grant_pin.hpp"
#include "core/frames.hpp"
#include "core/pv/grant_mapping.hpp"
#include "core/shared_memory.hpp"
#include "core/record_batch.hpp"

namespace bulkhead {

namespace {

constexpr uint32_t maps_at_once = 8;
constexpr int32_t cost_of_a_map = 900;
constexpr uint32_t available_bits = 7;      // of a page-table entry: bits 9 to 11

GrantStatus check_flags(uint32_t flags)
{
    if ((flags & (GNTMAP_device_map | GNTMAP_host_map)) == 0)
        return GNTST_bad_gntref;
    if ((flags & GNTMAP_device_map) != 0)
        return GNTST_no_device_space;       // no partition has an I/O MMU context to map into
    return GNTST_okay;
}

GrantStatus map_frame(Vcpu& vcpu, const gnttab_map_grant_ref_t& record, Mfn frame)
{
    const GrantPlace place{record.host_addr, (record.flags & GNTMAP_contains_pte) != 0};
    const GrantAccess access{frame, (record.flags & GNTMAP_readonly) == 0,
                             static_cast<uint8_t>((record.flags >> _GNTMAP_guest_avail0) & available_bits)};
    return map_grant_entry(vcpu, place, access).has_value() ? GNTST_okay : GNTST_general_error;
}

// With the pin.
GrantStatus map_pinned(Vcpu& vcpu, const Partition& granter, const gnttab_map_grant_ref_t& record, Mfn frame)
{
    const bool write = (record.flags & GNTMAP_readonly) == 0;
    GrantStatus status = hold_frame(frame, granter, write);
    if (status != GNTST_okay)
        return status;
    status = map_frame(vcpu, record, frame);
    if (status != GNTST_okay)
        drop_frame(frame, write);
    return status;
}

// With the handle.
GrantStatus map_with_handle(Vcpu& vcpu, Partition& granter, const gnttab_map_grant_ref_t& record,
                            GrantMapping& mapping)
{
    const Partition& self = *vcpu.partition;
    const bool write = (record.flags & GNTMAP_readonly) == 0;
    const PinnedGrant pinned = pin_grant(granter, self, record.ref, write, GrantPurpose::map);
    if (pinned.status != GNTST_okay)
        return pinned.status;
    const GrantStatus status = map_pinned(vcpu, granter, record, pinned.frame);
    if (status != GNTST_okay) {
        unpin_grant(granter, self, record.ref, write);
        return status;
    }
    mapping.frame = pinned.frame;
    mapping.ref = record.ref;
    mapping.generation = granter.generation;
    mapping.granter = granter.id;
    mapping.flags = static_cast<uint8_t>(record.flags);
    return GNTST_okay;
}

// Memory that the plan lets partitions share: there is no granter who could take it back, so the
// frame's reference is all that the mapping holds.
GrantStatus map_shared_with_handle(Vcpu& vcpu, const gnttab_map_grant_ref_t& record, GrantMapping& mapping)
{
    const bool write = (record.flags & GNTMAP_readonly) == 0;
    const Result<Mfn> frame = shared_frame(*vcpu.partition, record.ref, write);
    if (!frame.has_value())
        return frame.error() == XEN_EPERM ? GNTST_general_error : GNTST_bad_gntref;
    const Result<> held = write ? get_writable_frame(*frame, DomainId(0)) : get_frame(*frame, DomainId(0));
    if (!held.has_value())
        return GNTST_general_error;
    if (const GrantStatus status = map_frame(vcpu, record, *frame); status != GNTST_okay) {
        drop_frame(*frame, write);
        return status;
    }
    mapping.frame = *frame;
    mapping.ref = record.ref;
    mapping.granter = DomainId(0);
    mapping.flags = static_cast<uint8_t>(record.flags);
    return GNTST_okay;
}

// The caller's `pages` lock is held.
GrantStatus map_record(Vcpu& vcpu, gnttab_map_grant_ref_t& record)
{
    if (const GrantStatus status = check_flags(record.flags); status != GNTST_okay)
        return status;
    Partition* granter = find_partition(DomainId(record.dom));
    if (granter == nullptr && record.dom != 0)
        return GNTST_bad_domain;
    GrantTable& table = vcpu.partition->grants;
    const uint32_t handle = reserve_handle(table);
    if (handle == no_handle)
        return GNTST_no_space;
    GrantMapping& mapping = table.mappings[handle];
    const GrantStatus status = granter != nullptr ? map_with_handle(vcpu, *granter, record, mapping)
                                                  : map_shared_with_handle(vcpu, record, mapping);
    if (status != GNTST_okay) {
        free_handle(table, handle);
        return status;
    }
    record.handle = handle;
    record.dev_bus_addr = address_of(mapping.frame).raw();
    activate_handle(table, handle);
    return GNTST_okay;
}

}  // namespace

long map_grants(Vcpu& vcpu, HypercallArguments& arguments)
{
    Partition& self = *vcpu.partition;
    // Their maps of memory are static: hardware partitions are clients, not back ends.
    if (self.hardware != nullptr)
        return negative(XEN_EOPNOTSUPP);
    return work_through<gnttab_map_grant_ref_t, maps_at_once>(arguments, 0, cost_of_a_map, [&](auto& batch) {
        const LockGuard guard(self.memory.lock);
        for (gnttab_map_grant_ref_t& record : batch)
            record.status = map_record(vcpu, record);
    });
}

}  // namespace bulkhead
