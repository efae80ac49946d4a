// SPDX-License-Identifier: BSD-2-Clause
// The rule of budgets: a hard constant-bandwidth server, in two numbers a vCPU. With `left` of the
// budget to last until `end`:
//   - when the vCPU is put on the CPU at t and t >= end, or left / (end - t) > budget / period, a
//     new period begins: left = budget, end = t + period;
//   - when left reaches 0 it is held until end; then a new period begins there.
// So in any stretch of L ns it runs for at most budget + L * budget / period, whatever the guest
// does (a budget that is merely refilled on a fixed grid lets a vCPU run two of them back to back),
// and a vCPU that always wants to run gets exactly its budget in each period. A sleeper finds its
// whole budget as soon as it has been away long enough. Source: L. Abeni and G. Buttazzo,
// "Integrating Multimedia Applications in Hard Real-Time Systems", constant bandwidth server; it
// waits for its deadline where theirs postpones it.
#pragma once

#include "core/schedule_entity.hpp"

namespace bulkhead {

// From the timer's interrupt at the end of a period to the choice of the vCPU: this late it still
// keeps its grid, and the bound above counts that much more time.
inline constexpr uint64_t budget_slack_ns = 20'000;

inline void begin_period(ScheduleEntity& entity, Nanoseconds start)
{
    entity.budget_left_ns = entity.budget_ns;
    entity.budget_end = start + entity.period_ns;
}

// The vCPU is put on the CPU.
inline void open_budget(ScheduleEntity& entity, Nanoseconds now)
{
    __extension__ using Product = unsigned __int128;
    if (now >= entity.budget_end ||
        Product{entity.budget_left_ns} * entity.period_ns >
            Product{entity.budget_end - now + budget_slack_ns} * entity.budget_ns)
        begin_period(entity, now);
}

// The vCPU has run for `ran_ns` up to `now`. False: the budget is used up and its period not over.
[[nodiscard]] inline bool charge_budget(ScheduleEntity& entity, uint64_t ran_ns, Nanoseconds now)
{
    if (ran_ns < entity.budget_left_ns) {
        entity.budget_left_ns -= ran_ns;
        return true;
    }
    entity.budget_left_ns = 0;
    if (now < entity.budget_end)
        return false;
    begin_period(entity, now);
    return true;
}

}  // namespace bulkhead
