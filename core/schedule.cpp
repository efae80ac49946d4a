// SPDX-License-Identifier: BSD-2-Clause
// The decision of one CPU. See schedule.hpp for the rules and schedule_budget.hpp for budgets.
#include "core/schedule.hpp"

#include "core/cpu.hpp"
#include "core/lifecycle.hpp"
#include "core/lifecycle_internal.hpp"
#include "core/log.hpp"
#include "core/schedule_budget.hpp"
#include "core/schedule_internal.hpp"
#include "machine/clock.hpp"
#include "machine/this_cpu.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

// A vCPU that is held for nothing but these waits for something that its timers may bring. Held for
// anything else, its timers wait with it.
constexpr uint32_t hold_waiting = hold_blocked | hold_polling | hold_budget;

constexpr bool equals(uint64_t rank, uint64_t other)
{
    return ((rank ^ other) >> rank_priority_shift) == 0;
}

std::span<Vcpu* const> vcpus_of(const ScheduleCpu& schedule)
{
    return {schedule.vcpus, schedule.vcpu_count};
}

// The core's own work for the partition, such as building it, uses budgets up as a matter of course.
[[gnu::cold]] void tell_exhaustion(Vcpu& vcpu)
{
    ScheduleEntity& entity = vcpu.schedule;
    if (entity.core_work || entity.exhaustion_told)
        return;
    entity.exhaustion_told = true;
    log("%s: vCPU %u has used its budget of %llu us up and waits for the next period (told once; the monitor's sched "
        "counts)",
        vcpu.partition->name(), static_cast<unsigned>(vcpu.number.raw()),
        static_cast<unsigned long long>(entity.budget_ns / 1000));
}

[[gnu::noinline]] void charge_budget_of(Vcpu& vcpu, uint64_t ran_ns, Nanoseconds now)
{
    if (charge_budget(vcpu.schedule, ran_ns, now))
        return;
    ++vcpu.schedule.exhaustions;
    tell_exhaustion(vcpu);
    vcpu.hold.fetch_or(hold_budget, std::memory_order_relaxed);
    vcpu.schedule.next_event = earliest_event(vcpu);
}

void charge_running(ScheduleCpu& schedule, Vcpu& vcpu, uint64_t ran_ns, Nanoseconds now)
{
    ScheduleEntity& entity = vcpu.schedule;
    if (schedule.contended) {
        if (ran_ns >= entity.slice_left_ns)
            next_turn(schedule, entity);
        else
            entity.slice_left_ns -= ran_ns;
    }
    if (entity.budget_ns != 0) [[unlikely]]
        charge_budget_of(vcpu, ran_ns, now);
}

// A refined clock may step back a little: nobody is charged for that.
void charge(ScheduleCpu& schedule, Vcpu* running, Nanoseconds now)
{
    const Nanoseconds from = schedule.charged_until;
    const uint64_t ran_ns = now > from ? now - from : 0;
    schedule.charged_until = now;
    if (running != nullptr)
        charge_running(schedule, *running, ran_ns, now);
}

void open_window(ScheduleCpu& schedule, Nanoseconds now)
{
    const std::span<ScheduleWindow> windows = schedule.windows;
    const uint64_t frame_ns = windows.back().end_ns;
    const uint64_t into_ns = now - schedule.frame_start;
    schedule.frame_start += into_ns - into_ns % frame_ns;
    const uint64_t phase_ns = now - schedule.frame_start;
    uint32_t window = 0;
    while (phase_ns >= windows[window].end_ns)
        ++window;
    schedule.window = window;
    schedule.open_partition = windows[window].partition;
    schedule.window_end = schedule.frame_start + windows[window].end_ns;
}

[[gnu::cold, gnu::noinline]] void take_remote_changes(ScheduleCpu& schedule, Nanoseconds now)
{
    // Acquire pairs with the release in timers_changed_remotely().
    if (!schedule.changed.exchange(false, std::memory_order_acq_rel))
        return;
    for (Vcpu* vcpu : vcpus_of(schedule))
        take_periodic_request(*vcpu, now);
}

void enqueue(ScheduleCpu& schedule, Vcpu& vcpu, Nanoseconds now)
{
    const uint64_t woken_at = vcpu.schedule.woken_at.exchange(0, std::memory_order_relaxed);
    next_turn(schedule, vcpu.schedule);
    runstate_waits(vcpu, woken_at != 0 ? std::min(Nanoseconds(woken_at), now) : now);
}

// What the look below stumbled over: timers that are due, in this order, and vCPUs that have become runnable.
[[gnu::noinline]] void settle(ScheduleCpu& schedule, Nanoseconds now)
{
    for (Vcpu* vcpu : vcpus_of(schedule)) {
        if (vcpu->schedule.next_event <= now) [[unlikely]]
            fire_timers(*vcpu, now);
        if (vcpu->schedule.rank == 0 && vcpu->hold.load(std::memory_order_seq_cst) == 0)
            enqueue(schedule, *vcpu, now);
    }
}

// What one look at a CPU's vCPUs finds.
struct Choice {
    Vcpu* vcpu;          // null: idle
    uint64_t rank;       // its rank, and the next largest
    uint64_t next_rank;
    uint32_t waiting;    // how many are held and have a timer
    Vcpu* waiter;        // the last of them
    bool unsettled;      // settle() first, and look again
};

// The largest rank runs, and the next one tells whether an equal waits. `windows`: the CPU has a cyclic
// table. Calls nothing: most switches of vCPUs are little more than this.
template <bool windows>
[[gnu::always_inline]] inline Choice look(const ScheduleCpu& schedule, Nanoseconds now)
{
    // One by one, so that they stay in registers.
    Vcpu* best = nullptr;
    uint64_t best_rank = 0;
    uint64_t next_rank = 0;
    uint32_t waiting = 0;
    Vcpu* waiter = nullptr;
    bool unsettled = false;
    for (Vcpu* vcpu : vcpus_of(schedule)) {
        ScheduleEntity& entity = vcpu->schedule;
        if (entity.next_event <= now) [[unlikely]] {
            unsettled = true;
            break;
        }
        // Pairs with the waker: it clears the hold before it looks at `accepts`.
        if (vcpu->hold.load(std::memory_order_seq_cst) != 0) {
            entity.rank = 0;
            if (entity.next_event != never) {
                ++waiting;
                waiter = vcpu;
            }
            continue;
        }
        const uint64_t rank = entity.rank;
        if (windows && rank != 0 && !in_window(*vcpu, schedule.open_partition))
            continue;
        if (rank > best_rank) {
            next_rank = best_rank;
            best_rank = rank;
            best = vcpu;
        } else if (rank > next_rank) {
            next_rank = rank;
        } else if (rank == 0) [[unlikely]] {
            unsettled = true;
            break;
        }
    }
    return {best, best_rank, next_rank, waiting, waiter, unsettled};
}

// An idle CPU has no rank, and so no equal.
bool is_contended(const Choice& choice) { return choice.next_rank != 0 && equals(choice.rank, choice.next_rank); }

// Whether a timer of the vCPU could make it run instead of one of that priority.
bool may_take_over(const ScheduleCpu& schedule, const Vcpu& vcpu, uint32_t priority)
{
    const uint32_t held = vcpu.hold.load(std::memory_order_relaxed);
    return vcpu.schedule.priority >= priority && held != 0 && (held & ~hold_waiting) == 0
        && in_window(vcpu, schedule.open_partition);
}

[[gnu::noinline]] Nanoseconds earliest_of_others(const ScheduleCpu& schedule, uint32_t priority)
{
    Nanoseconds next = never;
    for (const Vcpu* vcpu : vcpus_of(schedule)) {
        if (vcpu->schedule.next_event < next && may_take_over(schedule, *vcpu, priority))
            next = vcpu->schedule.next_event;
    }
    return next;
}

// The next event of a vCPU that could then run instead of the chosen one, whose priority it is (0: idle).
[[gnu::always_inline]] inline Nanoseconds event_of_others(const ScheduleCpu& schedule, const Choice& choice, uint32_t priority)
{
    if (choice.waiting == 0)
        return never;
    if (choice.waiting > 1)
        return earliest_of_others(schedule, priority);
    return may_take_over(schedule, *choice.waiter, priority) ? choice.waiter->schedule.next_event : never;
}

// Somebody held the vCPU after it was chosen and before he could see that it was. If he waits for the
// end of its life, he has to look again.
[[gnu::noinline]] void tell_holder(const Vcpu& vcpu)
{
    if ((vcpu.hold.load(std::memory_order_relaxed) & hold_stopped) != 0)
        wake_home(*vcpu.partition);
}

// Makes the choice stand, unless it is held by now.
[[gnu::always_inline]] inline bool change_running(ScheduleCpu& schedule, Vcpu* next, Nanoseconds now)
{
    schedule.running.store(next, std::memory_order_seq_cst);
    if (next == nullptr)
        return true;
    if (next->hold.load(std::memory_order_seq_cst) != 0) [[unlikely]] {
        tell_holder(*next);
        return false;
    }
    ++next->schedule.dispatches;
    if (next->schedule.budget_ns != 0) [[unlikely]]
        open_budget(next->schedule, now);
    return true;
}

template <bool windows>
[[gnu::always_inline]] inline Nanoseconds next_decision(const ScheduleCpu& schedule, const Choice& choice,
                                                        bool contended, Nanoseconds now)
{
    Nanoseconds next = windows ? schedule.window_end : never;
    if (contended)
        next = std::min(next, now + choice.vcpu->schedule.slice_left_ns);
    if (choice.vcpu != nullptr && choice.vcpu->schedule.budget_ns != 0) [[unlikely]]
        next = std::min(next, now + choice.vcpu->schedule.budget_left_ns);
    return next;
}

template <bool windows>
[[gnu::always_inline]] inline void plan_next_decision(ScheduleCpu& schedule, const Choice& choice, Nanoseconds now)
{
    const bool contended = is_contended(choice);
    const uint32_t priority = choice.vcpu != nullptr ? choice.vcpu->schedule.priority : 0;
    const Deadlines deadlines{next_decision<windows>(schedule, choice, contended, now),
                              event_of_others(schedule, choice, priority)};
    schedule.contended = contended;
    schedule.decided_at = now;
    schedule.decide_by = deadlines.decide_by;
    schedule.others_event = deadlines.others_event;
    const uint32_t open_partition = windows ? schedule.open_partition : any_partition;
    schedule.accepts.store(acceptance(priority, open_partition), std::memory_order_release);
    program_timer(schedule, choice.vcpu, deadlines);
}

// Ends: a timer that fired is in the future afterwards, and nobody is held for ever anew.
template <bool windows>
[[gnu::always_inline]] inline Vcpu* decide(Cpu& cpu, Vcpu* running, Nanoseconds now)
{
    ScheduleCpu& schedule = cpu.schedule;
    for (;;) {
        // What was asked for up to here is decided below: the holds are read after this.
        if ((cpu.work.load(std::memory_order_relaxed) & work_reschedule) != 0) [[unlikely]]
            cpu.work.fetch_and(~uint32_t{work_reschedule}, std::memory_order_seq_cst);
        const Choice choice = look<windows>(schedule, now);
        if (choice.unsettled) [[unlikely]] {
            settle(schedule, now);
            continue;
        }
        if (choice.vcpu != running && !change_running(schedule, running = choice.vcpu, now)) [[unlikely]]
            continue;
        plan_next_decision<windows>(schedule, choice, now);
        return choice.vcpu;
    }
}

// Apart: most CPUs have no table.
[[gnu::noinline]] Vcpu* decide_in_window(Cpu& cpu, Vcpu* running, Nanoseconds now)
{
    if (now >= cpu.schedule.window_end)
        open_window(cpu.schedule, now);
    return decide<true>(cpu, running, now);
}

}  // namespace

// Without a frame pointer, whose register it needs: a back trace leaves it out.
[[gnu::optimize("omit-frame-pointer")]] Vcpu* pick_next()
{
    Cpu& cpu = this_cpu();
    ScheduleCpu& schedule = cpu.schedule;
    // Whoever makes a vCPU runnable from here on asks for another decision, until this one stands.
    schedule.accepts.exchange(acceptance(0, any_partition), std::memory_order_seq_cst);
    const Nanoseconds now = machine::now();
    Vcpu* running = chosen(schedule);
    charge(schedule, running, now);
    if (schedule.changed.load(std::memory_order_relaxed)) [[unlikely]]
        take_remote_changes(schedule, now);
    if (schedule.open_partition != any_partition) [[unlikely]]
        return decide_in_window(cpu, running, now);
    return decide<false>(cpu, running, now);
}

void run_timers()
{
    Cpu& cpu = this_cpu();
    // Whatever it was set to, it is not any more.
    cpu.schedule.timer = never;
    const Nanoseconds now = machine::now();
    if (now >= cpu.schedule.watchdog_event)
        check_watchdogs(now);
    if (now >= cpu.schedule.console_event)
        cpu.work.fetch_or(work_console, std::memory_order_relaxed);
    if (cpu.current != nullptr && cpu.current->time.stale.load(std::memory_order_relaxed))
        update_time(*cpu.current);
}

}  // namespace bulkhead
