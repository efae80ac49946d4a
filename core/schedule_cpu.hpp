// SPDX-License-Identifier: BSD-2-Clause
// What the scheduler keeps for one CPU: the vCPUs that are pinned to it, its cyclic table and its
// last decision. Own CPU only, except where atomic.
#pragma once

#include "core/types.hpp"

#include <atomic>
#include <cstdint>
#include <span>

namespace bulkhead {

struct Vcpu;

// One window of the cyclic table, relative to the start of the major frame.
struct ScheduleWindow {
    uint64_t end_ns;
    uint16_t partition;           // index in all_partitions(); no_partition: idle
};
inline constexpr uint16_t no_partition = 0xffff;
inline constexpr uint16_t any_partition = 0xfffe;

struct ScheduleCpu {
    Vcpu** vcpus;                 // all that are pinned here; fixed after start
    uint32_t vcpu_count;
    // Which wake-ups are worth interrupting this CPU for: the least priority in bits 0..15 and the
    // partition of the open window (or any_partition) in bits 16..31. Pairs with Vcpu::hold: a
    // waker clears the hold, then reads this; the CPU opens it wide, then reads the holds.
    std::atomic<uint32_t> accepts;
    std::atomic<bool> changed;    // another CPU changed a periodic timer of a vCPU here
    std::span<ScheduleWindow> windows;   // empty: no table
    uint32_t window;              // the open one
    uint16_t open_partition;      // who may run now; any_partition without a table
    Nanoseconds frame_start;      // of the major frame of the open window
    Nanoseconds window_end;       // `never` without a table
    // Last decision; null: idle. Pairs with Vcpu::hold: whoever holds a vCPU sets that, then looks
    // here whether this CPU has to be interrupted; the CPU writes this, then looks at the hold.
    std::atomic<Vcpu*> running;
    bool contended;               // an equal of `running` waits
    Nanoseconds charged_until;    // `running` has been charged up to here
    Nanoseconds decided_at;       // time of the last decision
    Nanoseconds decide_by;        // end of slice, budget or window: decide again then
    Nanoseconds others_event;     // next event of anybody else that may interrupt `running`
    Nanoseconds watchdog_event;   // next watchdog of a partition whose home is here
    Nanoseconds console_event;    // CPU 0: when the console wants to go on
    Nanoseconds core_event;       // the earlier of the two
    Nanoseconds timer;            // what the hardware timer is set to
    uint64_t turns;
};

}  // namespace bulkhead
