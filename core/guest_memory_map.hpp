// SPDX-License-Identifier: BSD-2-Clause
// The guest-physical address space of hardware partitions, shared with the host tool: RAM in one
// piece from 0 but for a hole below 4 GiB, where the local APIC is.
#pragma once

#include <cstdint>

namespace bulkhead {

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

}  // namespace bulkhead
