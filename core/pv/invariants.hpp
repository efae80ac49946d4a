// SPDX-License-Identifier: BSD-2-Clause
// The rules that keep a partition's memory safe, checked from scratch by walking everything that it
// has: for host tests after each operation, and for debug builds on the target. Slow.
#pragma once

#include "core/partition.hpp"

#include <cstdint>
#include <span>

namespace bulkhead {

// References that the walk cannot find by itself: those of grant handles, held tables of vCPUs that
// are being brought up, and the like. Called for each frame of the partition.
struct OutsideReferences {
    uint64_t existence;      // typed ones included
    uint64_t typed;
};
using OutsideReferencesOf = OutsideReferences (*)(Mfn frame, void* context);

struct InvariantReport {
    bool holds;
    Mfn frame;               // the first offender
    const char* what;
};

// `memory.lock` held, or nothing runs. Memory for the recount comes from the caller: two counters for
// each frame below frame_limit().
struct FrameRecount {
    uint32_t existence;
    uint32_t typed;
};
[[nodiscard]] InvariantReport check_memory(Partition& partition, std::span<FrameRecount> scratch,
                                           OutsideReferencesOf outside, void* context);

}  // namespace bulkhead
