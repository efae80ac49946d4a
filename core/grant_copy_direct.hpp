// SPDX-License-Identifier: BSD-2-Clause
// A copy between a frame of the caller's own and a reference that is used only once, or between two
// such references: the granters' locks are held for as long as it takes (a page at most), so nothing has
// to be counted. Whatever is not as it should be returns not_direct, with nothing changed: the long way
// finds the right error.
// Only core/grant_copy.cpp includes this.
#pragma once

#include "core/hardware.hpp"
#include "core/frame_references.hpp"
#include "core/grant_pin.hpp"
#include "machine/copy.hpp"
#include "machine/memory.hpp"

namespace bulkhead {

inline constexpr GrantStatus not_direct = 1;

[[nodiscard, gnu::always_inline]] inline bool stays_within_pages(const gnttab_copy_t& record)
{
    const uint32_t length = record.len;
    return record.source.offset + length <= page_size && record.dest.offset + length <= page_size;
}

[[gnu::always_inline]] inline void copy_between(uint8_t* to, const uint8_t* from, const gnttab_copy_t& record)
{
    machine::copy_bytes(to + record.dest.offset, from + record.source.offset, record.len);
}

// A frame that is only read needs no reference: it stays its owner's for ever, and the owner begins no
// new life while a holder is announced or its lock is held.
[[nodiscard, gnu::always_inline]] inline bool may_read(Mfn number, DomainId owner)
{
    const FrameEntry* const found = frame::find(number, owner);
    return found != nullptr && (found->state.load(std::memory_order_relaxed) & frame::given) != 0;
}

// A typed reference, if it is to be had at once, without a flush of TLBs or a second attempt; null: not.
[[nodiscard, gnu::always_inline]] inline FrameEntry* take_writable_quickly(Mfn number, DomainId owner)
{
    constexpr uint64_t wanted = frame::given | frame::type_bits(FrameType::writable);
    FrameEntry* const found = frame::find(number, owner);
    if (found == nullptr) [[unlikely]]
        return nullptr;
    uint64_t state = found->state.load(std::memory_order_relaxed);
    const bool is_ready = (state & (frame::given | frame::type_mask | frame::turning)) == wanted;
    if (!is_ready || frame::count(state) == frame::count_mask) [[unlikely]]
        return nullptr;
    const bool taken = found->state.compare_exchange_strong(state, state + frame::one + frame::typed_one,
                                                            std::memory_order_acquire);
    return taken ? found : nullptr;
}

template <bool to_reference>
[[nodiscard, gnu::always_inline]] inline GrantStatus copy_marked(const Partition& granter, Mfn theirs, uint8_t* own,
                                                                 const gnttab_copy_t& record)
{
    if constexpr (to_reference) {
        FrameEntry* const target = take_writable_quickly(theirs, granter.id);
        if (target == nullptr) [[unlikely]]
            return not_direct;
        copy_between(machine::frame_pointer<uint8_t>(theirs), own, record);
        frame::put_writable(*target);
    } else {
        if (!may_read(theirs, granter.id)) [[unlikely]]
            return not_direct;
        copy_between(own, machine::frame_pointer<uint8_t>(theirs), record);
    }
    return GNTST_okay;
}

// `own` is the frame of the other side, which the caller holds.
template <bool to_reference>
[[nodiscard, gnu::always_inline]] inline GrantStatus copy_directly(const Partition& self, Partition& granter,
                                                                   uint8_t* own, const gnttab_copy_t& record)
{
    if (!stays_within_pages(record)) [[unlikely]]
        return not_direct;
    const uint32_t ref = to_reference ? record.dest.u.ref : record.source.u.ref;
    GrantTable& table = granter.grants;
    const LockGuard guard(table.lock);
    if (ref >= table.valid_refs) [[unlikely]]
        return not_direct;
    const uint64_t index = machine::nospec_index(ref, table.valid_refs);
    std::atomic<uint64_t>& shared = table.entries[index];
    const PinnedGrant marked = mark_in_use(shared, self.id, to_reference, GrantPurpose::copy);
    if (marked.status != GNTST_okay) [[unlikely]]
        return not_direct;
    const GrantStatus status = copy_marked<to_reference>(granter, named_frame(granter, marked.frame.raw()), own, record);
    clear_marks(shared, table.uses[index], to_reference);
    return status;
}

// With both granters' locks held.
[[nodiscard, gnu::always_inline]] inline GrantStatus copy_marked_both(const Partition& from, Mfn source, const Partition& to,
                                                                      Mfn target, const gnttab_copy_t& record)
{
    if (!may_read(source, from.id)) [[unlikely]]
        return not_direct;
    FrameEntry* const taken = take_writable_quickly(target, to.id);
    if (taken == nullptr) [[unlikely]]
        return not_direct;
    copy_between(machine::frame_pointer<uint8_t>(target), machine::frame_pointer<uint8_t>(source), record);
    frame::put_writable(*taken);
    return GNTST_okay;
}

// Between references of two partitions, as a switch copies a frame's pieces: 120 instructions beside the
// bytes, where holding both sides first costs 330.
[[nodiscard]] inline GrantStatus copy_between_references(const Partition& self, Partition& from, Partition& to,
                                                         const gnttab_copy_t& record)
{
    if (&from == &to || !stays_within_pages(record)) [[unlikely]]
        return not_direct;
    const bool from_first = from.id < to.id;
    const LockGuard first((from_first ? from : to).grants.lock);
    const LockGuard second((from_first ? to : from).grants.lock);
    GrantTable& sources = from.grants;
    GrantTable& targets = to.grants;
    const uint32_t source_ref = record.source.u.ref;
    const uint32_t target_ref = record.dest.u.ref;
    if (source_ref >= sources.valid_refs || target_ref >= targets.valid_refs) [[unlikely]]
        return not_direct;
    const uint64_t source = machine::nospec_index(source_ref, sources.valid_refs);
    const uint64_t target = machine::nospec_index(target_ref, targets.valid_refs);
    const PinnedGrant read = mark_in_use(sources.entries[source], self.id, false, GrantPurpose::copy);
    if (read.status != GNTST_okay) [[unlikely]]
        return not_direct;
    const PinnedGrant written = mark_in_use(targets.entries[target], self.id, true, GrantPurpose::copy);
    GrantStatus status = not_direct;
    if (written.status == GNTST_okay) [[likely]] {
        status = copy_marked_both(from, named_frame(from, read.frame.raw()), to, named_frame(to, written.frame.raw()), record);
        clear_marks(targets.entries[target], targets.uses[target], true);
    }
    clear_marks(sources.entries[source], sources.uses[source], false);
    return status;
}

}  // namespace bulkhead
