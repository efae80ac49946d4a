// SPDX-License-Identifier: BSD-2-Clause
// Where everything lies in a PV partition's memory when its first instruction runs.
#pragma once

#include <cstdint>

#include "boot/plan/kernel.hpp"
#include "boot/plan/outcome.hpp"
#include "core/plan.hpp"

namespace bulkhead::tool {

struct PvNeeds {
    uint64_t ramdisk_bytes = 0;  // 0: none
    uint64_t memory_frames = 0;  // given at start
    bool has_store = false;
    // Of a service: the initial mapping ends here at the latest, behind the 512 KiB that the ABI promises.
    uint64_t mapping_limit = plan::no_pfn;
};

struct PvLayout {
    plan::PvStart start;
    uint64_t used_frames;  // from frame 0 to the last one that start-of-day needs
};

// Lays it out without regard to how much memory there is; used_frames says how much it takes.
// Fails only when the kernel's addresses leave no place.
[[nodiscard]] Outcome<PvLayout> lay_out_pv(const Kernel& kernel, const PvNeeds& needs);

// The least memory, in frames, with which the layout fits: the p2m list grows with the memory.
[[nodiscard]] Outcome<uint64_t> least_memory_frames(const Kernel& kernel, PvNeeds needs);

// Page tables below the top one that map the range [from, to), to included in none: for tests.
struct TableCounts {
    uint64_t l3;
    uint64_t l2;
    uint64_t l1;
    [[nodiscard]] uint64_t sum() const { return l3 + l2 + l1; }
};
[[nodiscard]] TableCounts tables_for(uint64_t from, uint64_t to);

}  // namespace bulkhead::tool
