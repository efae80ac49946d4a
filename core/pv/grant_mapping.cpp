// SPDX-License-Identifier: BSD-2-Clause
// See grant_mapping.hpp.
#include "core/pv/grant_mapping.hpp"

#include "core/pv/l1_entries.hpp"
#include "core/pv/tlb_requests.hpp"

namespace bulkhead {

namespace {

Result<EntryPlace> find_place(const Vcpu& mapper, const GrantPlace& place)
{
    if (!place.contains_pte)
        return find_l1_entry(mapper, GuestVirtual(place.address));
    const EntryPlace found = TRY(find_table_entry(*mapper.partition, HostPhysical(place.address)));
    if (found.type != FrameType::l1)
        return fail(XEN_EINVAL);
    return found;
}

constexpr uint64_t decisive_bits = pte::address | pte::present | pte::writable | pte::granted;

// Without the bits that the guest may have changed since.
constexpr uint64_t decisive_value(const GrantAccess& access)
{
    return pte::make(access.frame, pte::present | pte::granted | (access.writable ? pte::writable : 0));
}

// Writes over an entry of the grant, if it is one. CPUs may set its accessed and dirty bits.
Result<> overwrite(const EntryPlace& place, const GrantAccess& access, uint64_t value)
{
    TableEntry entry(*place.entry);
    const uint64_t old = entry.load(std::memory_order_relaxed);
    if ((old & decisive_bits) != decisive_value(access))
        return fail(XEN_EINVAL);
    entry.store(value, std::memory_order_seq_cst);
    return {};
}

}  // namespace

Result<> map_grant_entry(Vcpu& mapper, const GrantPlace& place, const GrantAccess& access)
{
    constexpr unsigned available_shift = 9;
    const EntryPlace found = TRY(find_place(mapper, place));
    const uint64_t available = (uint64_t{access.available} & 7) << available_shift;
    const uint64_t value = decisive_value(access) | pte::user | pte::accessed | pte::dirty | available;
    drop_l1_value(*mapper.partition, TableEntry(*found.entry).exchange(value, std::memory_order_acq_rel));
    return {};
}

Result<> unmap_grant_entry(Vcpu& mapper, const GrantPlace& place, const GrantAccess& access)
{
    return overwrite(TRY(find_place(mapper, place)), access, 0);
}

Result<> replace_grant_entry(Vcpu& mapper, const GrantPlace& place, const GrantAccess& access,
                             GuestVirtual replacement)
{
    const EntryPlace found = TRY(find_place(mapper, place));
    if (replacement == GuestVirtual(0))
        return overwrite(found, access, 0);
    const EntryPlace other = TRY(find_l1_entry(mapper, replacement));
    if (other.entry == found.entry)
        return fail(XEN_EINVAL);
    // The reference behind it moves with it; while it is in both places nothing can be put.
    TRY_VOID(overwrite(found, access, TableEntry(*other.entry).load(std::memory_order_relaxed)));
    TableEntry(*other.entry).store(0, std::memory_order_seq_cst);
    return {};
}

void flush_grant_mappings(Partition& mapper) { flush_whole(cpus_running(mapper)); }

}  // namespace bulkhead
