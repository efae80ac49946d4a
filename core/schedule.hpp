// SPDX-License-Identifier: BSD-2-Clause
// Which vCPU runs: per CPU, fixed priority with an optional budget in each period, round robin among
// equals, and an optional cyclic table of windows. No lists and nothing shared between CPUs: a CPU
// looks through its few vCPUs. No periodic tick: the timer is set for real deadlines only, and what
// happens to a vCPU of lower priority never interrupts the one that runs.
#pragma once

#include "core/plan.hpp"
#include "core/types.hpp"
#include "core/vcpu.hpp"

#include <cstdint>
#include <span>

namespace bulkhead {

inline constexpr uint64_t slice_ns = 5'000'000;   // of equals that both want to run

// Start-up, once, after all partitions and their vCPUs were made and before any CPU schedules.
// Holds every vCPU (hold_down, hold_stopped). `windows` is the plan's table.
void init_schedule(std::span<const plan::Window> windows);

// Sets reasons to hold a vCPU; its CPU stops running it before it next returns to a guest. Any CPU.
void hold(Vcpu& vcpu, uint32_t reasons);
// Clears reasons; interrupts the vCPU's CPU if it became runnable and may run there now. Any CPU,
// any lock held. Who makes an event pending for a vCPU releases hold_blocked | hold_polling.
void release(Vcpu& vcpu, uint32_t reasons);

// Picks the vCPU that this CPU should run now (null: idle) and programs the timer for the next
// decision, the next vCPU timer and the end of the budget. Own CPU, interrupts off. If the result
// has schedule.core_work, call lifecycle_step() for it with no guest loaded until the CPU is asked to look
// at its work, and pick again.
Vcpu* pick_next();

// The CPU's timer has fired, or something else asked for work_timer: looks at watchdogs, the console
// and the clock. pick_next() follows; it fires vCPU timers, replenishes budgets, advances windows.
void run_timers();

// SCHEDOP_yield: lets an equal run, if one waits. Nothing below its priority runs instead.
inline void yield_turn(Vcpu& vcpu);

// After a timer of the vCPU changed: recomputes its next event and programs the timer if that
// matters now. The vCPU's own CPU only.
void timers_changed(Vcpu& vcpu);
// The same for a vCPU of another CPU, whose CPU then takes VcpuTime::periodic_request.
void timers_changed_remotely(Vcpu& vcpu);
// When check_watchdogs() of lifecycle.hpp wants to be called next. Own CPU; pick_next() follows.
void set_watchdog_event(Nanoseconds when);
// Asks the console when it wants to go on: after each console_work(). CPU 0; pick_next() follows.
void note_console_deadline();

// For the monitor: consistent enough to print, from any CPU.
struct ScheduleCounters {
    uint64_t run_ns;              // on the CPU so far, up to now if it runs
    uint64_t wait_ns;             // runnable, but not running
    uint64_t dispatches;
    uint64_t exhaustions;
    bool running;
};
[[nodiscard]] ScheduleCounters schedule_counters(const Vcpu& vcpu);

}  // namespace bulkhead

#include "core/schedule_inline.hpp"
