// SPDX-License-Identifier: BSD-2-Clause
// See grant_pin.hpp.
#include "core/grant_pin.hpp"

#include "core/frames.hpp"

namespace bulkhead {

PinnedGrant pin_grant(Partition& granter, const Partition& holder, uint32_t ref, bool write,
                      GrantPurpose purpose)
{
    announce_holder(granter, holder);
    const PinnedGrant pinned = [&] {
        const LockGuard guard(granter.grants.lock);
        return pin_entry(granter.grants, holder.id, ref, write, purpose);
    }();
    if (pinned.status != GNTST_okay)
        withdraw_holder(granter, holder);
    return pinned;
}

void unpin_grant(Partition& granter, const Partition& holder, uint32_t ref, bool write)
{
    {
        const LockGuard guard(granter.grants.lock);
        unpin_entry(granter.grants, ref, write);
    }
    withdraw_holder(granter, holder);
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
