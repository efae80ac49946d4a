// SPDX-License-Identifier: BSD-2-Clause
// Entries of version 2 of the grant table: 64-bit frames, parts of pages for copies, and the flags of
// use in frames of their own. As in version 1, what the granter may change at any time is read once,
// and what was checked is what is used. Transitive grants are refused. Only core/grant*.cpp include this.
// Source: xen/include/public/grant_table.h, union grant_entry_v2.
#pragma once

#include "core/grants.hpp"
#include "core/types.hpp"

#include <atomic>
#include <cstdint>

namespace bulkhead {

// grant_entry_v2 as words: header (flags and domid), what a sub-page grant adds, frame.
struct GrantEntryV2 {
    std::atomic<uint32_t> header;
    std::atomic<uint32_t> part;              // page_off, and in the upper half length
    std::atomic<uint64_t> frame;
};
static_assert(sizeof(GrantEntryV2) == sizeof(grant_entry_v2_t));

using GrantStatusWord = std::atomic<grant_status_t>;
static_assert(sizeof(GrantStatusWord) == sizeof(grant_status_t));

inline constexpr uint32_t grant_entries_per_frame_v2 = page_size / sizeof(GrantEntryV2);
inline constexpr uint32_t grant_status_per_frame = page_size / sizeof(GrantStatusWord);

[[nodiscard]] inline GrantEntryV2& entry_v2(const GrantTable& table, uint64_t ref)
{
    return reinterpret_cast<GrantEntryV2*>(table.entries)[ref];
}

// Frames of status words that a table of so many frames needs.
constexpr uint32_t status_frames_for(uint32_t frames)
{
    return (frames * grant_entries_per_frame_v2 + grant_status_per_frame - 1) / grant_status_per_frame;
}

}  // namespace bulkhead
