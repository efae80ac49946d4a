// SPDX-License-Identifier: BSD-2-Clause
// See grant_pin.hpp.
#include "core/hardware.hpp"
#include "core/grant_pin.hpp"

#include "core/frames.hpp"

namespace bulkhead {

namespace {

// The flags of use go to the status word; then the header is looked at again: a granter that ends the
// grant changes the header first and looks at the status afterwards.
PinnedGrant mark_in_use_v2(GrantTable& table, DomainId holder, uint32_t ref, bool write, GrantPurpose purpose)
{
    GrantEntryV2& shared = entry_v2(table, ref);
    const uint32_t must_agree = 0xffff'0000 | GTF_type_mask | (write ? GTF_readonly : 0) |
                                (purpose == GrantPurpose::map ? GTF_sub_page : 0);
    const uint32_t granted = uint32_t{holder.raw()} << 16 | GTF_permit_access;
    const uint32_t header = shared.header.load(std::memory_order_relaxed);
    if (((header ^ granted) & must_agree) != 0)
        return {GNTST_general_error, invalid_mfn};
    const auto in_use = static_cast<grant_status_t>(GTF_reading | (write ? GTF_writing : 0));
    table.status[ref].fetch_or(in_use, std::memory_order_seq_cst);
    const Mfn frame(shared.frame.load(std::memory_order_relaxed));
    const uint32_t part = shared.part.load(std::memory_order_relaxed);
    if (((shared.header.load(std::memory_order_seq_cst) ^ granted) & must_agree) != 0) {
        clear_marks_v2(table, ref, table.uses[ref], write);
        return {GNTST_general_error, invalid_mfn};
    }
    if ((header & GTF_sub_page) == 0)
        return {GNTST_okay, frame};
    return {GNTST_okay, frame, static_cast<uint16_t>(part), static_cast<uint16_t>(part >> 16)};
}

}  // namespace

PinnedGrant pin_entry_v2(GrantTable& table, DomainId holder, uint32_t ref, bool write, GrantPurpose purpose)
{
    if (ref >= table.valid_refs_v2)
        return {GNTST_bad_gntref, invalid_mfn};
    const auto index = static_cast<uint32_t>(machine::nospec_index(ref, table.valid_refs_v2));
    GrantUse& use = table.uses[index];
    if (use.pins() == UINT16_MAX)
        return {GNTST_general_error, invalid_mfn};
    const PinnedGrant pinned = mark_in_use_v2(table, holder, index, write, purpose);
    if (pinned.status == GNTST_okay)
        use.counts += one_pin(write);
    return pinned;
}

// See clear_marks().
void clear_marks_v2(const GrantTable& table, uint32_t ref, GrantUse use, bool write)
{
    unsigned finished = GTF_reading | (write ? GTF_writing : 0);
    if (use.counts != 0)
        finished = write && use.writers() == 0 ? GTF_writing : 0;
    table.status[ref].fetch_and(static_cast<grant_status_t>(~finished), std::memory_order_release);
}

PinnedGrant pin_grant(Partition& granter, const Partition& holder, uint32_t ref, bool write,
                      GrantPurpose purpose)
{
    announce_holder(granter, holder);
    const PinnedGrant pinned = [&] {
        const LockGuard guard(granter.grants.lock);
        return pin_entry(granter.grants, holder.id, ref, write, purpose);
    }();
    if (pinned.status != GNTST_okay) {
        withdraw_holder(granter, holder);
        return pinned;
    }
    return {pinned.status, named_frame(granter, pinned.frame.raw()), pinned.first_byte, pinned.bytes};
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
