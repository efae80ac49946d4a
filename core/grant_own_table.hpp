// SPDX-License-Identifier: BSD-2-Clause
// What the operations on a partition's own table share. Only core/grant*.cpp include this.
#pragma once

#include "core/domain_argument.hpp"
#include "core/grant_v2.hpp"
#include "machine/memory.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace bulkhead {

// The same judgement as check_self(), for operations that answer in their record.
[[nodiscard]] inline int16_t self_status(const Partition& self, domid_t domain)
{
    const Result<> result = check_self(self, domain);
    if (result.has_value())
        return GNTST_okay;
    return result.error() == XEN_ESRCH ? GNTST_bad_domain : GNTST_permission_denied;
}

// With the table's lock held: so many of its frames are in use.
inline void set_table_size(GrantTable& table, uint32_t frames)
{
    table.frames = frames;
    table.uncleared = 0;
    table.valid_refs = table.version == 1 ? frames * grant_entries_per_frame : 0;
    table.valid_refs_v2 = table.version == 1 ? 0 : frames * grant_entries_per_frame_v2;
}

// Their numbers, which lie in a row, to the guest's list.
[[nodiscard]] inline bool write_frames(Mfn first, GuestVirtual to, uint32_t count)
{
    constexpr uint32_t frames_at_once = 64;
    std::array<uint64_t, frames_at_once> list;
    for (uint32_t at = 0; at < count;) {
        const uint32_t chunk = std::min(frames_at_once, count - at);
        for (uint32_t i = 0; i < chunk; ++i)
            list[i] = (first + (at + i)).raw();
        if (!machine::copy_to_guest(to + at * sizeof(uint64_t), list.data(), chunk * sizeof(uint64_t)))
            return false;
        at += chunk;
    }
    return true;
}

}  // namespace bulkhead
