// SPDX-License-Identifier: BSD-2-Clause
// Nested page tables: made once at start from the partition's memory with the largest pages that fit,
// and never on a fault. Only pages that the guest places itself (shared info, grant table:
// XENMEM_add_to_physmap) change them later, in tables set aside for that.
#pragma once

#include "core/partition.hpp"
#include "core/result.hpp"

#include <cstdint>

namespace bulkhead {

// RAM is in one piece from 0 but for a hole below 4 GiB, where the local APIC is.
inline constexpr uint64_t hole_first_gfn = 0xf0000;
inline constexpr uint64_t hole_frames = 0x10000;

// The partition's own frame number behind a guest frame number, or all ones.
[[nodiscard]] constexpr uint64_t pfn_of_gfn(uint64_t gfn, uint64_t frames)
{
    if (gfn >= hole_first_gfn)
        gfn = gfn < hole_first_gfn + hole_frames ? ~uint64_t{0} : gfn - hole_frames;
    return gfn < frames ? gfn : ~uint64_t{0};
}
// Past the last guest frame number with RAM.
[[nodiscard]] constexpr uint64_t ram_end_gfn(uint64_t frames)
{
    return frames <= hole_first_gfn ? frames : frames + hole_frames;
}

// Start-up.
void make_nested_tables(Partition& partition);
// The host frame that the tables have at a guest frame number; invalid_mfn: none.
[[nodiscard]] Mfn nested_lookup(const Partition& partition, uint64_t gfn);
// Puts one page there in place of what is there; invalid_mfn: takes it away, and RAM comes back if
// there was RAM. XEN_ENOMEM: the tables set aside for it are used up. Takes the pages lock; other
// vCPUs see it from their next entry on.
Result<> nested_place(Partition& partition, uint64_t gfn, Mfn frame);
// All back to what start-up made. No vCPU runs.
void nested_reset(Partition& partition);

}  // namespace bulkhead
