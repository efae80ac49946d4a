// SPDX-License-Identifier: BSD-2-Clause
// Using a granter's entry: checks it, tells the granter by its flags, counts. The entry lies in
// memory that the granter writes at any time; it is read as a whole and changed by compare-exchange,
// so what was checked is what is used. Only core/grant*.cpp include this.
#pragma once

#include "core/partition.hpp"

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
    GrantStatus status;                  // GNTST_okay, or why there is no pin
    Mfn frame;                           // as the entry said when it was pinned; not yet checked
};

// The granter may change the entry between our read and our write, for as long as it likes.
inline constexpr int attempts_at_an_entry = 5;

// Sets the flags that keep an honest granter from ending the access. `Entry` is std::atomic<uint64_t>,
// or what a test puts in its place.
template <class Entry>
[[nodiscard]] PinnedGrant mark_in_use(Entry& shared, DomainId holder, bool write, GrantPurpose purpose)
{
    // Version 1 has no sub-pages; a whole-page mapping of an entry that says so would be more than
    // was granted.
    const unsigned mask = GTF_type_mask | (purpose == GrantPurpose::map ? GTF_sub_page : 0);
    const uint64_t in_use = GTF_reading | (write ? GTF_writing : 0);
    uint64_t seen = shared.load(std::memory_order_relaxed);
    for (int attempt = 0; attempt < attempts_at_an_entry; ++attempt) {
        const bool granted = (entry::flags(seen) & mask) == GTF_permit_access && entry::domain(seen) == holder;
        if (!granted || (write && (seen & GTF_readonly) != 0))
            break;
        if ((seen & in_use) == in_use)
            return {GNTST_okay, entry::frame(seen)};
        if (shared.compare_exchange_strong(seen, seen | in_use, std::memory_order_seq_cst))
            return {GNTST_okay, entry::frame(seen)};
    }
    return {GNTST_general_error, invalid_mfn};
}

// Pins an entry for a holder. Takes the granter's lock.
[[nodiscard]] PinnedGrant pin_grant(Partition& granter, const Partition& holder, uint32_t ref, bool write,
                                    GrantPurpose purpose);
// Everything that the holder did with the frame is done. Takes the granter's lock.
void unpin_grant(Partition& granter, const Partition& holder, uint32_t ref, bool write);

// References to the frame itself, so that its owner can neither give it back nor, if it is to be
// written, make it a page table. GNTST_bad_page: not the owner's; GNTST_general_error: of another type.
[[nodiscard]] GrantStatus hold_frame(Mfn frame, const Partition& owner, bool write);
void drop_frame(Mfn frame, bool write);

}  // namespace bulkhead
