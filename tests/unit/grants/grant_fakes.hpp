// SPDX-License-Identifier: BSD-2-Clause
// Page tables that record which grants are mapped where, and the grant code on top of them; for the
// unit tests and the fuzz target.
#pragma once

#include "core/frame_references.hpp"
#include "core/grants.hpp"
#include "core/hypercall.hpp"
#include "core/pv/grant_mapping.hpp"

#include "fake_core.hpp"
#include "fake_world.hpp"
#include "machine/core_space.hpp"
#include "machine/frame_tables.hpp"
#include "machine/tlb.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace bulkhead {

namespace fake {

inline std::mutex tables;                    // of these fakes, for tests with several threads
using Hold = std::lock_guard<std::mutex>;

// A page-table entry that a grant put somewhere: by (domain, contains_pte, address).
using EntryPlace = std::tuple<uint16_t, bool, uint64_t>;
inline std::map<EntryPlace, GrantAccess> entries;
inline unsigned grant_flushes;
inline constexpr uint64_t no_table_at = 0xbad000;

}  // namespace fake

namespace fake {

// What core/pv/grant_mapping.hpp asks of its callers.
inline void check_locks(Partition& mapper)
{
    if (!mapper.memory.lock.is_locked())
        panic("the pages lock is not held");
    if (!one_thread)
        return;                              // somebody else may hold any lock
    for (Partition& partition : fake::partitions) {
        if (partition.grants.lock.is_locked())
            panic("a grants lock is held");
    }
}
inline EntryPlace place_of(Vcpu& mapper, const GrantPlace& place)
{
    return {mapper.partition->id.raw(), place.contains_pte, place.address};
}

}  // namespace fake

inline Result<> map_grant_entry(Vcpu& mapper, const GrantPlace& place, const GrantAccess& access)
{
    const fake::Hold hold_tables(fake::tables);
    fake::check_locks(*mapper.partition);
    if (place.address == fake::no_table_at)
        return fail(XEN_EINVAL);
    if (frame::count(frame::entry_of(access.frame).state) == 0)
        panic("mapped without a reference");
    fake::entries[fake::place_of(mapper, place)] = access;
    return {};
}
inline Result<> unmap_grant_entry(Vcpu& mapper, const GrantPlace& place, const GrantAccess& access)
{
    const fake::Hold hold_tables(fake::tables);
    fake::check_locks(*mapper.partition);
    const auto found = fake::entries.find(fake::place_of(mapper, place));
    if (found == fake::entries.end() || found->second.frame != access.frame ||
        found->second.writable != access.writable)
        return fail(XEN_EINVAL);
    fake::entries.erase(found);
    return {};
}
inline Result<> replace_grant_entry(Vcpu& mapper, const GrantPlace& place, const GrantAccess& access,
                                    GuestVirtual replacement)
{
    TRY_VOID(unmap_grant_entry(mapper, place, access));
    if (replacement.raw() != 0) {
        const auto moved = fake::entries.find({mapper.partition->id.raw(), false, replacement.raw()});
        if (moved != fake::entries.end()) {
            fake::entries[fake::place_of(mapper, place)] = moved->second;
            fake::entries.erase(moved);
        }
    }
    return {};
}
// One region: reference 8 gives this frame to partitions 1 (writes) and 2 (reads).
inline Mfn shared_page = invalid_mfn;
inline Result<Mfn> shared_frame(const Partition& member, uint32_t ref, bool write)
{
    if (ref != 8 || member.id.raw() > 2 || shared_page == invalid_mfn)
        return fail(XEN_EINVAL);
    if (write && member.id.raw() != 1)
        return fail(XEN_EPERM);
    return shared_page;
}
inline void flush_grant_mappings(Partition&)
{
    const fake::Hold hold_tables(fake::tables);
    ++fake::grant_flushes;
}

}  // namespace bulkhead

#include "core/frames.cpp"
#include "core/grant_copy.cpp"
#include "core/grant_map.cpp"
#include "core/grant_mappings.cpp"
#include "core/grant_pin.cpp"
#include "core/grant_setup.cpp"
#include "core/grant_table_op.cpp"
#include "core/grant_unmap.cpp"
#include "core/grant_version.cpp"
#include "core/grants.cpp"
