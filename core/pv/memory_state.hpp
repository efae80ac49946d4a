// SPDX-License-Identifier: BSD-2-Clause
// The memory of one PV partition.
#pragma once

#include "core/plan.hpp"
#include "core/spinlock.hpp"
#include "core/types.hpp"

#include <array>
#include <atomic>
#include <cstdint>

namespace bulkhead {

struct FrameRange {
    Mfn first;
    uint64_t count;
};

struct PvMemory {
    Spinlock lock{LockRank::pages};
    std::array<FrameRange, plan::max_memory_ranges> ranges;   // owned for ever, ascending pfn
    uint32_t range_count;
    uint64_t frames;                    // now given to the guest (XENMEM_current_reservation)
    uint64_t max_frames;
    std::atomic<uint64_t> running_on;   // CPUs that run a vCPU of it now (bit n: CPU n)
};

}  // namespace bulkhead
