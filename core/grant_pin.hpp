// SPDX-License-Identifier: BSD-2-Clause
// Using a granter's entry: checks it, tells the granter by its flags, counts. The entry lies in
// memory that the granter writes at any time; it is read as a whole and changed by compare-exchange,
// so what was checked is what is used. Only core/grant*.cpp include this.
#pragma once

#include "core/grant_v2.hpp"
#include "core/partition.hpp"
#include "machine/nospec.hpp"

#include <atomic>
#include <cstdint>

namespace bulkhead {

using GrantStatus = int16_t;             // GNTST_*

// grant_entry_v1 as one number.
namespace entry {
inline constexpr unsigned domain_shift = 16;
inline constexpr unsigned frame_shift = 32;
constexpr uint16_t flags(uint64_t value) { return static_cast<uint16_t>(value); }
constexpr DomainId domain(uint64_t value) { return DomainId(static_cast<uint16_t>(value >> domain_shift)); }
constexpr Mfn frame(uint64_t value) { return Mfn(value >> frame_shift); }
constexpr uint64_t make(uint16_t flags, DomainId domain, Mfn frame)
{
    return (frame.raw() << frame_shift) | (uint64_t{domain.raw()} << domain_shift) | flags;
}
}  // namespace entry

enum class GrantPurpose : uint8_t { copy, map };

struct PinnedGrant {
    constexpr PinnedGrant(GrantStatus result, Mfn granted, uint16_t first = 0, uint16_t length = page_size)
        : frame(granted), status(result), first_byte(first), bytes(length)
    {
    }
    Mfn frame;                           // as the entry said when it was pinned; not yet checked
    GrantStatus status;                  // GNTST_okay, or why there is no pin
    uint16_t first_byte;                 // what of the frame: less than all of it only for copies
    uint16_t bytes;
};
static_assert(sizeof(PinnedGrant) == 16);

// The granter may change the entry between our read and our write, for as long as it likes.
inline constexpr int attempts_at_an_entry = 5;

// Sets the flags that keep an honest granter from ending the access. `Entry` is std::atomic<uint64_t>,
// or what a test puts in its place.
template <class Entry>
[[nodiscard, gnu::always_inline]] inline PinnedGrant mark_in_use(Entry& shared, DomainId holder, bool write,
                                                                 GrantPurpose purpose)
{
    // Version 1 has no sub-pages; a mapping of the whole page would be more than was granted.
    const uint32_t must_agree = 0xffff'0000 | GTF_type_mask | (write ? GTF_readonly : 0) |
                                (purpose == GrantPurpose::map ? GTF_sub_page : 0);
    const uint64_t granted = entry::make(GTF_permit_access, holder, Mfn(0));
    const uint64_t in_use = GTF_reading | (write ? GTF_writing : 0);
    uint64_t seen = shared.load(std::memory_order_relaxed);
    for (int attempt = 0; attempt < attempts_at_an_entry; ++attempt) {
        if (((seen ^ granted) & must_agree) != 0) [[unlikely]]
            break;
        if ((seen & in_use) == in_use)
            return {GNTST_okay, entry::frame(seen)};
        if (shared.compare_exchange_strong(seen, seen | in_use, std::memory_order_seq_cst)) [[likely]]
            return {GNTST_okay, entry::frame(seen)};
    }
    return {GNTST_general_error, invalid_mfn};
}

[[nodiscard]] PinnedGrant pin_entry_v2(GrantTable& table, DomainId holder, uint32_t ref, bool write,
                                       GrantPurpose purpose);
void clear_marks_v2(const GrantTable& table, uint32_t ref, GrantUse use, bool write);

constexpr uint32_t one_pin(bool write) { return write ? 0x1'0001 : 1; }

// With the granter's lock held; the holder is announced.
[[nodiscard, gnu::always_inline]] inline PinnedGrant pin_entry(GrantTable& table, DomainId holder, uint32_t ref,
                                                               bool write, GrantPurpose purpose)
{
    // A closed table has no valid references.
    if (ref >= table.valid_refs) [[unlikely]]
        return pin_entry_v2(table, holder, ref, write, purpose);
    const uint64_t index = machine::nospec_index(ref, table.valid_refs);
    GrantUse& use = table.uses[index];
    if (use.pins() == UINT16_MAX) [[unlikely]]
        return {GNTST_general_error, invalid_mfn};
    const PinnedGrant pinned = mark_in_use(table.entries[index], holder, write, purpose);
    if (pinned.status == GNTST_okay) [[likely]]
        use.counts += one_pin(write);
    return pinned;
}

// With the granter's lock held, when an access has ended: takes back the flags that no other one
// needs. Release: the holder's accesses come before the granter learns that they have ended.
[[gnu::always_inline]] inline void clear_marks(std::atomic<uint64_t>& shared, GrantUse use, bool write)
{
    uint64_t finished = GTF_reading | (write ? GTF_writing : 0);
    if (use.counts != 0) [[unlikely]]
        finished = write && use.writers() == 0 ? GTF_writing : 0;
    if (finished != 0)
        shared.fetch_and(~finished, std::memory_order_release);
}

// With the granter's lock held. Everything that the holder did with the frame is done.
[[gnu::always_inline]] inline void unpin_entry(GrantTable& table, uint32_t ref, bool write)
{
    GrantUse& use = table.uses[ref];
    use.counts -= one_pin(write);
    if (table.version == 2) [[unlikely]]
        return clear_marks_v2(table, ref, use, write);
    clear_marks(table.entries[ref], use, write);
}

// A holder announces itself to a granter before it pins entries and withdraws after it has let go, so
// that the granter's memory is not given a new life meanwhile. Closing a table takes its lock, so a
// holder either is announced by then or finds no entry.
inline void announce_holder(Partition& granter, const Partition& holder)
{
    granter.grants.held_by[holder.grants.index].fetch_add(1, std::memory_order_relaxed);
}
inline void withdraw_holder(Partition& granter, const Partition& holder)
{
    granter.grants.held_by[holder.grants.index].fetch_sub(1, std::memory_order_release);
}

// All of it for one entry: announces, and takes the granter's lock.
[[nodiscard]] PinnedGrant pin_grant(Partition& granter, const Partition& holder, uint32_t ref, bool write,
                                    GrantPurpose purpose);
void unpin_grant(Partition& granter, const Partition& holder, uint32_t ref, bool write);

// References to the frame itself, so that its owner can neither give it back nor, if it is to be
// written, make it a page table. GNTST_bad_page: not the owner's; GNTST_general_error: of another type.
[[nodiscard]] GrantStatus hold_frame(Mfn frame, const Partition& owner, bool write);
void drop_frame(Mfn frame, bool write);

}  // namespace bulkhead
