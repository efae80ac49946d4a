// SPDX-License-Identifier: BSD-2-Clause
// What the scheduler knows of one vCPU. Its own CPU only, except where atomic. All times are system
// time in nanoseconds, so that the plan's microseconds are exact.
#pragma once

#include "core/types.hpp"

#include <atomic>
#include <cstdint>

namespace bulkhead {

struct ScheduleEntity {
    uint8_t priority;             // 0..31, 31 is the most urgent
    // The core builds or clears the partition on this vCPU's account: whoever gets it from
    // pick_next() calls lifecycle_step() instead of entering the guest.
    bool core_work;
    bool exhaustion_told;         // that its budget ended has been said, once
    uint16_t partition;           // index in all_partitions(), for windows
    // What its CPU compares: priority above, order among equals below. 0: it was not runnable when
    // its CPU last looked.
    uint64_t rank;
    uint64_t slice_left_ns;       // spent only while an equal waits
    // Budget: see schedule_budget.hpp.
    uint64_t budget_ns;           // 0: none
    uint64_t period_ns;
    uint64_t budget_left_ns;
    Nanoseconds budget_end;
    // The earliest of the vCPU's timers and, while it is held for its budget, budget_end.
    Nanoseconds next_event;
    // When somebody made it runnable; 0: not since its CPU last looked.
    std::atomic<uint64_t> woken_at;
    // Counted for the monitor; see schedule_counters().
    uint64_t dispatches;          // times that it was put on the CPU
    uint64_t exhaustions;         // times that its budget ended
};

}  // namespace bulkhead
