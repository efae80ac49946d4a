// SPDX-License-Identifier: BSD-2-Clause
// The rules that keep a partition's memory safe, checked from scratch by walking everything that it
// has: for host tests after each operation, and for debug builds on the target. Slow.
#pragma once

#include "core/partition.hpp"

#include <cstdint>
#include <span>

namespace bulkhead {

// References to a frame; typed ones count as existence references too.
struct FrameRecount {
    uint32_t existence;
    uint32_t typed;
};

// References that the walk cannot find by itself, such as those of grant handles and of a vCPU's
// time areas. Called for each frame of the partition.
using OutsideReferences = FrameRecount (*)(Mfn frame, void* context);

struct InvariantReport {
    const char* broken;      // null: everything holds
    Mfn frame;               // the first offender
};

// `memory.lock` held, or nothing runs. `recount` has an element for each frame number from `first`
// on, and covers all frames of the partition.
[[nodiscard]] InvariantReport check_memory(const Partition& partition, Mfn first, std::span<FrameRecount> recount,
                                           OutsideReferences outside, void* context);

}  // namespace bulkhead
