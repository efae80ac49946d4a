// SPDX-License-Identifier: BSD-2-Clause
// GNTTABOP_unmap_grant_ref and GNTTABOP_unmap_and_replace. A batch clears its page-table entries, then
// flushes once, and only then lets go of the frames: no TLB reaches a frame that its owner has back.
#include "core/grant_mappings.hpp"
#include "core/grant_operations.hpp"
#include "core/pv/grant_mapping.hpp"
#include "core/record_batch.hpp"

#include <array>

namespace bulkhead {

namespace {

constexpr uint32_t unmaps_at_once = 16;
constexpr int32_t cost_of_an_unmap = 600;
constexpr int32_t cost_of_a_flush = 2'000;

GrantStatus to_status(const Result<>& result) { return result.has_value() ? GNTST_okay : GNTST_general_error; }

GrantPlace place_of(const GrantMapping& mapping, uint64_t address)
{
    return {address, (mapping.flags & GNTMAP_contains_pte) != 0};
}

GrantAccess access_of(const GrantMapping& mapping)
{
    return {mapping.frame, (mapping.flags & GNTMAP_readonly) == 0, 0};
}

// Clears the entry of a claimed handle.
GrantStatus clear_entry(Vcpu& vcpu, const GrantMapping& mapping, const gnttab_unmap_grant_ref_t& record)
{
    if (record.dev_bus_addr != 0 && record.dev_bus_addr != address_of(mapping.frame).raw())
        return GNTST_general_error;
    return to_status(unmap_grant_entry(vcpu, place_of(mapping, record.host_addr), access_of(mapping)));
}

GrantStatus clear_entry(Vcpu& vcpu, const GrantMapping& mapping, const gnttab_unmap_and_replace_t& record)
{
    const GrantPlace place = place_of(mapping, record.host_addr);
    if (place.contains_pte)
        return GNTST_general_error;          // there is no address to exchange with
    return to_status(replace_grant_entry(vcpu, place, access_of(mapping), GuestVirtual(record.new_addr)));
}

// Handles whose entries are cleared and whose frames are still held.
struct Ending {
    std::array<uint32_t, unmaps_at_once> handles;
    uint32_t count = 0;
};

template <class Record>
GrantStatus begin_unmap(Vcpu& vcpu, const Record& record, Ending& ending)
{
    GrantTable& table = vcpu.partition->grants;
    const GrantMapping* mapping = claim_handle(table, record.handle);
    if (mapping == nullptr)
        return GNTST_bad_handle;
    // An address of zero stands for a mapping that is to stay.
    const bool stays = record.host_addr == 0;
    const GrantStatus status = stays ? GNTST_okay : clear_entry(vcpu, *mapping, record);
    if (stays || status != GNTST_okay)
        activate_handle(table, record.handle);
    else
        ending.handles[ending.count++] = record.handle;
    return status;
}

void finish_unmap(Partition& self, const Ending& ending)
{
    if (ending.count == 0)
        return;
    flush_grant_mappings(self);
    for (uint32_t i = 0; i < ending.count; ++i)
        end_mapping(self, ending.handles[i]);
}

template <class Record>
long unmap_list(Vcpu& vcpu, HypercallArguments& arguments)
{
    Partition& self = *vcpu.partition;
    return work_through<Record, unmaps_at_once>(arguments, cost_of_a_flush, cost_of_an_unmap, [&](auto& batch) {
        Ending ending;
        {
            const LockGuard guard(self.memory.lock);
            for (Record& record : batch)
                record.status = begin_unmap(vcpu, record, ending);
        }
        finish_unmap(self, ending);
    });
}

}  // namespace

long unmap_grants(Vcpu& vcpu, HypercallArguments& arguments)
{
    return unmap_list<gnttab_unmap_grant_ref_t>(vcpu, arguments);
}

long unmap_and_replace_grants(Vcpu& vcpu, HypercallArguments& arguments)
{
    return unmap_list<gnttab_unmap_and_replace_t>(vcpu, arguments);
}

}  // namespace bulkhead
