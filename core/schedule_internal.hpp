// SPDX-License-Identifier: BSD-2-Clause
// Between the files of the scheduler.
#pragma once

#include "core/cpu.hpp"
#include "core/schedule.hpp"

namespace bulkhead {

// Cpu::schedule.accepts: see there.
constexpr uint32_t acceptance(uint32_t priority, uint32_t partition) { return priority | partition << 16; }

inline bool in_window(const Vcpu& vcpu, uint32_t open_partition)
{
    return open_partition == any_partition || open_partition == vcpu.schedule.partition;
}

inline Vcpu* chosen(const ScheduleCpu& schedule) { return schedule.running.load(std::memory_order_relaxed); }

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

// Sets this CPU's timer to what schedule's deadlines say. Own CPU.
void program_timer(ScheduleCpu& schedule);

}  // namespace bulkhead
