// SPDX-License-Identifier: BSD-2-Clause
// Between the files of the scheduler.
#pragma once

#include "core/cpu.hpp"
#include "core/schedule.hpp"

#include <algorithm>

namespace bulkhead {

// Cpu::schedule.accepts: see there.
constexpr uint32_t acceptance(uint32_t priority, uint32_t partition) { return priority | partition << 16; }

inline bool in_window(const Vcpu& vcpu, uint32_t open_partition)
{
    return open_partition == any_partition || open_partition == vcpu.schedule.partition;
}

inline Vcpu* chosen(const ScheduleCpu& schedule) { return schedule.running.load(std::memory_order_relaxed); }

void set_timer(ScheduleCpu& schedule, Nanoseconds next);

struct Deadlines {
    Nanoseconds decide_by, others_event;
};

// Sets this CPU's timer to what schedule's deadlines say. `vcpu`: the chosen one. Own CPU.
inline void program_timer(ScheduleCpu& schedule, const Vcpu* vcpu, Deadlines deadlines)
{
    Nanoseconds next = std::min(std::min(deadlines.decide_by, deadlines.others_event), schedule.core_event);
    if (vcpu != nullptr)
        next = std::min(next, vcpu->schedule.next_event);
    if (next == schedule.timer) [[likely]]
        return;
    // While equals take turns, one interrupt too many in a slice costs less than a new time for every
    // turn.
    if (schedule.contended && schedule.timer < next && next - schedule.timer <= slice_ns)
        return;
    set_timer(schedule, next);
}

}  // namespace bulkhead
