// SPDX-License-Identifier: BSD-2-Clause
// See grant_pin.hpp.
#include "core/grant_pin.hpp"

#include "core/frames.hpp"
#include "machine/nospec.hpp"

namespace bulkhead {

PinnedGrant pin_grant(Partition& granter, const Partition& holder, uint32_t ref, bool write,
                      GrantPurpose purpose)
{
    GrantTable& table = granter.grants;
    const LockGuard guard(table.lock);
    // A closed table has no valid references.
    if (ref >= table.valid_refs) [[unlikely]]
        return {GNTST_bad_gntref, invalid_mfn};
    const uint64_t index = machine::nospec_index(ref, table.valid_refs);
    GrantUse& use = table.uses[index];
    if (use.pins == UINT16_MAX) [[unlikely]]
        return {GNTST_general_error, invalid_mfn};
    const PinnedGrant pinned = mark_in_use(table.entries[index], holder.id, write, purpose);
    if (pinned.status != GNTST_okay) [[unlikely]]
        return pinned;
    ++use.pins;
    use.writers = static_cast<uint16_t>(use.writers + (write ? 1 : 0));
    ++table.pins_by[holder.grants.index];
    return pinned;
}

void unpin_grant(Partition& granter, const Partition& holder, uint32_t ref, bool write)
{
    GrantTable& table = granter.grants;
    const LockGuard guard(table.lock);
    GrantUse& use = table.uses[ref];
    uint64_t finished = 0;
    --use.pins;
    if (use.pins == 0)
        finished |= GTF_reading;
    if (write) {
        --use.writers;
        if (use.writers == 0)
            finished |= GTF_writing;
    }
    --table.pins_by[holder.grants.index];
    // Release: the holder's accesses come before the granter learns that they have ended.
    if (finished != 0)
        table.entries[ref].fetch_and(~finished, std::memory_order_release);
}

GrantStatus hold_frame(Mfn frame, const Partition& owner, bool write)
{
    const Result<> held = write ? get_writable_frame(frame, owner.id) : get_frame(frame, owner.id);
    if (held.has_value()) [[likely]]
        return GNTST_okay;
    return held.error() == XEN_EINVAL ? GNTST_bad_page : GNTST_general_error;
}

void drop_frame(Mfn frame, bool write)
{
    if (write)
        put_writable_frame(frame);
    else
        put_frame(frame);
}

}  // namespace bulkhead
