// SPDX-License-Identifier: BSD-2-Clause
// Included by core/schedule.hpp only: turns among equals.
#pragma once

#include "core/cpu.hpp"
#include "machine/this_cpu.hpp"

namespace bulkhead {

// The largest rank runs. Priority counts from 1, so that no rank is 0; who ends a slice, yields or
// wakes gets the next turn, and so comes after its equals.
inline constexpr unsigned rank_priority_shift = 56;

constexpr uint64_t rank_of(uint64_t priority, uint64_t turn)
{
    return ((priority + 2) << rank_priority_shift) - turn;
}

inline void next_turn(ScheduleCpu& schedule, ScheduleEntity& entity)
{
    entity.rank = rank_of(entity.priority, ++schedule.turns);
    entity.slice_left_ns = slice_ns;
}

inline void yield_turn(Vcpu& vcpu)
{
    Cpu& cpu = this_cpu();
    if (!cpu.schedule.contended)
        return;
    next_turn(cpu.schedule, vcpu.schedule);
    cpu.work.fetch_or(work_reschedule, std::memory_order_relaxed);
}

}  // namespace bulkhead
