// SPDX-License-Identifier: BSD-2-Clause
// Which vCPU runs: per CPU, fixed priority with an optional budget in each period, round robin among
// equals, and an optional cyclic table of windows. No lists: a CPU looks through its few vCPUs.
#pragma once

#include "core/types.hpp"
#include "core/vcpu.hpp"

#include <cstdint>

namespace bulkhead {

// Sets reasons to hold a vCPU; its CPU stops running it before it next returns to a guest. Any CPU.
void hold(Vcpu& vcpu, uint32_t reasons);
// Clears reasons; pokes the vCPU's CPU if it became runnable. Any CPU, any lock held.
void release(Vcpu& vcpu, uint32_t reasons);

// Picks the vCPU that this CPU should run now (null: idle) and programs the timer for the next
// decision, the next vCPU timer and the end of the budget. Own CPU, interrupts off.
Vcpu* pick_next();

// A deadline may have passed (work_timer): fires vCPU timers, replenishes budgets, advances windows.
void run_timers();

}  // namespace bulkhead
