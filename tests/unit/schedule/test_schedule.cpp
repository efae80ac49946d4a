// SPDX-License-Identifier: BSD-2-Clause
// Who runs, for how long, and which interrupts that costs: core/schedule.cpp.
#include <CppUTest/TestHarness.h>

#include "box.hpp"

#include "core/schedule.cpp"
#include "core/schedule_requests.cpp"
#include "core/schedule_start.cpp"
#include "core/vcpu_time.cpp"
#include "core/vcpu_timers.cpp"

#include <random>
#include <thread>

namespace bulkhead {

namespace {
unsigned watchdog_checks;
unsigned homes_woken;
}  // namespace

void check_watchdogs(Nanoseconds) { ++watchdog_checks; }
void wake_home(Partition&) { ++homes_woken; }

}  // namespace bulkhead

using namespace bulkhead;
using fake::ms;
using fake::us;

TEST_GROUP(Schedule) {
    fake::Box box;
    void setup() override { watchdog_checks = homes_woken = 0; }
};

TEST(Schedule, a_CPU_without_runnable_vCPUs_is_idle_and_sets_no_timer)
{
    box.make({{10, {0}}});
    POINTERS_EQUAL(nullptr, box.decide());
    CHECK(this_cpu().schedule.timer == never);
    CHECK(fake::timers_set.empty());
}

TEST(Schedule, every_vCPU_is_held_at_first)
{
    box.make({{10, {0, 1}}});
    CHECK_EQUAL(hold_down | hold_stopped, box.vcpu(0, 0).hold.load());
    CHECK_EQUAL(hold_down | hold_stopped, box.vcpu(0, 1).hold.load());
}

TEST(Schedule, a_CPU_runs_only_vCPUs_that_are_pinned_to_it)
{
    box.make({{10, {0, 1}}});
    box.wake(box.vcpu(0, 1));
    POINTERS_EQUAL(nullptr, box.decide());
    fake::current_cpu = 1;
    POINTERS_EQUAL(&box.vcpu(0, 1), box.decide());
}

TEST(Schedule, vCPUs_of_CPUs_that_do_not_exist_are_left_out)
{
    box.make({{10, {0, 7}}, {10, {1}}});
    CHECK_EQUAL(1, fake::cpus[0].schedule.vcpu_count);
    CHECK_EQUAL(1, fake::cpus[1].schedule.vcpu_count);
    CHECK_EQUAL(0, fake::cpus[7].schedule.vcpu_count);
}

TEST(Schedule, the_most_urgent_runs)
{
    box.make({{10, {0}}, {20, {0}}, {15, {0}}});
    for (size_t i = 0; i < 3; ++i)
        box.wake(box.vcpu(i));
    POINTERS_EQUAL(&box.vcpu(1), box.decide());
    box.block(box.vcpu(1));
    POINTERS_EQUAL(&box.vcpu(2), box.decide());
}

TEST(Schedule, one_alone_is_never_interrupted)
{
    box.make({{10, {0}}});
    box.wake(box.vcpu(0));
    box.run_for(1000 * ms);
    CHECK_EQUAL(1000 * ms, box.ran[&box.vcpu(0)]);
    CHECK_EQUAL(0, box.interrupts);
}

TEST(Schedule, one_above_others_that_wait_is_never_interrupted)
{
    box.make({{20, {0}}, {10, {0}}, {10, {0}}});
    for (size_t i = 0; i < 3; ++i)
        box.wake(box.vcpu(i));
    box.run_for(1000 * ms);
    CHECK_EQUAL(1000 * ms, box.ran[&box.vcpu(0)]);
    CHECK_EQUAL(0, box.interrupts);
}

TEST(Schedule, equals_take_turns_of_five_milliseconds)
{
    box.make({{10, {0}}, {10, {0}}, {10, {0}}});
    for (size_t i = 0; i < 3; ++i)
        box.wake(box.vcpu(i));
    box.run_for(150 * ms);
    for (size_t i = 0; i < 3; ++i)
        CHECK_EQUAL(50 * ms, box.ran[&box.vcpu(i)]);
    CHECK_EQUAL(30, box.interrupts);
    POINTERS_EQUAL(&box.vcpu(0), box.stretches[0].vcpu);
    POINTERS_EQUAL(&box.vcpu(1), box.stretches[1].vcpu);
    POINTERS_EQUAL(&box.vcpu(2), box.stretches[2].vcpu);
}

TEST(Schedule, a_slice_is_not_spent_while_nobody_else_wants_to_run)
{
    box.make({{10, {0}}, {10, {0}}});
    box.wake(box.vcpu(0));
    box.run_for(100 * ms);
    box.wake(box.vcpu(1));
    box.run_for(4 * ms);
    CHECK_EQUAL(104 * ms, box.ran[&box.vcpu(0)]);
    box.run_for(2 * ms);
    CHECK_EQUAL(105 * ms, box.ran[&box.vcpu(0)]);
    CHECK_EQUAL(1 * ms, box.ran[&box.vcpu(1)]);
}

TEST(Schedule, who_is_often_preempted_still_gets_no_more_than_its_slice)
{
    box.make({{20, {0}}, {10, {0}}, {10, {0}}});
    box.wake(box.vcpu(1));
    box.wake(box.vcpu(2));
    for (int i = 0; i < 100; ++i) {
        box.wake(box.vcpu(0));
        box.run_for(500 * us);
        box.block(box.vcpu(0));
        box.run_for(500 * us);
    }
    CHECK_EQUAL(25 * ms, box.ran[&box.vcpu(1)]);
    CHECK_EQUAL(25 * ms, box.ran[&box.vcpu(2)]);
}

TEST(Schedule, yield_lets_an_equal_run)
{
    box.make({{10, {0}}, {10, {0}}});
    box.wake(box.vcpu(0));
    box.wake(box.vcpu(1));
    POINTERS_EQUAL(&box.vcpu(0), box.decide());
    yield_turn(box.vcpu(0));
    CHECK_EQUAL(work_reschedule, this_cpu().work.load());
    POINTERS_EQUAL(&box.vcpu(1), box.decide());
    yield_turn(box.vcpu(1));
    POINTERS_EQUAL(&box.vcpu(0), box.decide());
}

TEST(Schedule, turns_by_yield_do_not_program_the_timer_each_time)
{
    box.make({{10, {0}}, {10, {0}}});
    box.wake(box.vcpu(0));
    box.wake(box.vcpu(1));
    box.decide();
    const size_t before = fake::timers_set.size();
    for (int i = 0; i < 100; ++i) {
        fake::tsc += 10 * us;
        yield_turn(*this_cpu().current);
        box.decide();
    }
    CHECK_EQUAL(before, fake::timers_set.size());
    box.run_for(100 * ms);
    CHECK(box.ran[&box.vcpu(0)] <= 55 * ms);
    CHECK(box.ran[&box.vcpu(1)] <= 55 * ms);
}

TEST(Schedule, yield_of_one_alone_asks_for_nothing)
{
    box.make({{10, {0}}, {5, {0}}});
    box.wake(box.vcpu(0));
    box.wake(box.vcpu(1));
    POINTERS_EQUAL(&box.vcpu(0), box.decide());
    yield_turn(box.vcpu(0));
    CHECK_EQUAL(0, this_cpu().work.load());
}

TEST(Schedule, a_wake_up_interrupts_another_CPU_only_if_it_may_run_there)
{
    box.make({{10, {1}}, {5, {1}}, {10, {1}}, {20, {1}}});
    fake::current_cpu = 1;
    box.wake(box.vcpu(0));
    box.decide();
    fake::current_cpu = 0;
    fake::pokes.clear();
    box.wake(box.vcpu(1));
    CHECK(fake::pokes.empty());
    box.wake(box.vcpu(2));
    CHECK_EQUAL(1, fake::pokes.size());
    box.wake(box.vcpu(3));
    CHECK_EQUAL(2, fake::pokes.size());
    CHECK(fake::pokes[0] == CpuNumber(1));
}

TEST(Schedule, a_wake_up_interrupts_an_idle_CPU)
{
    box.make({{0, {1}}});
    fake::current_cpu = 1;
    box.decide();
    fake::current_cpu = 0;
    fake::pokes.clear();
    box.wake(box.vcpu(0));
    CHECK_EQUAL(1, fake::pokes.size());
    CHECK_EQUAL(work_reschedule, fake::cpus[1].work.load());
}

TEST(Schedule, a_wake_up_that_leaves_another_reason_does_nothing)
{
    box.make({{10, {1}}});
    fake::pokes.clear();
    release(box.vcpu(0), hold_stopped);
    release(box.vcpu(0), hold_blocked);
    CHECK(fake::pokes.empty());
    release(box.vcpu(0), hold_down);
    CHECK_EQUAL(1, fake::pokes.size());
    release(box.vcpu(0), hold_down);
    CHECK_EQUAL(1, fake::pokes.size());
}

TEST(Schedule, holding_interrupts_another_CPU_only_if_the_vCPU_is_on_it)
{
    box.make({{10, {1}}, {5, {1}}});
    fake::current_cpu = 1;
    box.wake(box.vcpu(0));
    box.wake(box.vcpu(1));
    box.decide();
    fake::current_cpu = 0;
    fake::pokes.clear();
    hold(box.vcpu(1), hold_paused);
    CHECK(fake::pokes.empty());
    hold(box.vcpu(0), hold_paused);
    CHECK_EQUAL(1, fake::pokes.size());
    hold(box.vcpu(0), hold_stopped);
    CHECK_EQUAL(1, fake::pokes.size());
    fake::current_cpu = 1;
    POINTERS_EQUAL(nullptr, box.decide());
}

TEST(Schedule, the_timer_of_a_blocked_vCPU_wakes_an_idle_CPU)
{
    box.make({{10, {0}}});
    box.wake(box.vcpu(0));
    box.decide();
    set_singleshot(box.vcpu(0), Nanoseconds(fake::tsc + 3 * ms));
    box.block(box.vcpu(0));
    box.run_for(10 * ms);
    CHECK_EQUAL(1, fake::virqs.size());
    CHECK_EQUAL(fake::start_ns + 3 * ms, fake::virqs[0].at);
    CHECK_EQUAL(7 * ms, box.ran[&box.vcpu(0)]);
    CHECK_EQUAL(1, box.interrupts);
}

TEST(Schedule, a_timer_of_lower_priority_waits_until_its_vCPU_could_run)
{
    box.make({{20, {0}}, {10, {0}}});
    box.wake(box.vcpu(1));
    box.decide();
    set_singleshot(box.vcpu(1), Nanoseconds(fake::tsc + 1 * ms));
    box.block(box.vcpu(1));
    box.wake(box.vcpu(0));
    box.run_for(10 * ms);
    CHECK_EQUAL(0, box.interrupts);
    box.block(box.vcpu(0));
    POINTERS_EQUAL(&box.vcpu(1), box.decide());
    CHECK_EQUAL(1, fake::virqs.size());
}

TEST(Schedule, a_timer_of_higher_priority_preempts)
{
    box.make({{20, {0}}, {10, {0}}});
    box.wake(box.vcpu(0));
    box.wake(box.vcpu(1));
    box.decide();
    set_singleshot(box.vcpu(0), Nanoseconds(fake::tsc + 1 * ms));
    box.block(box.vcpu(0));
    box.run_for(3 * ms);
    CHECK_EQUAL(1 * ms, box.ran[&box.vcpu(1)]);
    CHECK_EQUAL(2 * ms, box.ran[&box.vcpu(0)]);
}

TEST(Schedule, timers_of_paused_and_stopped_vCPUs_set_no_timer)
{
    box.make({{10, {0}}});
    box.wake(box.vcpu(0));
    box.decide();
    set_singleshot(box.vcpu(0), Nanoseconds(fake::tsc + 1 * ms));
    hold(box.vcpu(0), hold_paused);
    box.run_for(10 * ms);
    CHECK_EQUAL(0, box.interrupts);
    release(box.vcpu(0), hold_paused);
    box.decide();
    CHECK_EQUAL(1, fake::virqs.size());
}

TEST(Schedule, the_running_vCPUs_own_timer_causes_one_interrupt_and_no_switch)
{
    box.make({{10, {0}}});
    box.wake(box.vcpu(0));
    box.decide();
    set_singleshot(box.vcpu(0), Nanoseconds(fake::tsc + 1 * ms));
    box.run_for(5 * ms);
    CHECK_EQUAL(1, box.interrupts);
    CHECK_EQUAL(1, box.vcpu(0).schedule.dispatches);
    CHECK_EQUAL(1, fake::virqs.size());
}

TEST(Schedule, the_timer_is_not_programmed_again_for_the_same_deadline)
{
    box.make({{10, {0}}});
    box.wake(box.vcpu(0));
    box.decide();
    set_singleshot(box.vcpu(0), Nanoseconds(fake::tsc + 1 * ms));
    const size_t before = fake::timers_set.size();
    box.decide();
    set_singleshot(box.vcpu(0), Nanoseconds(fake::tsc + 1 * ms));
    CHECK_EQUAL(before, fake::timers_set.size());
}

TEST(Schedule, an_interrupt_that_comes_early_programs_the_timer_again)
{
    box.make({{10, {0}}});
    box.wake(box.vcpu(0));
    box.decide();
    set_singleshot(box.vcpu(0), Nanoseconds(fake::tsc + 1 * ms));
    const size_t before = fake::timers_set.size();
    this_cpu().work.fetch_or(work_timer);
    box.decide();
    CHECK_EQUAL(before + 1, fake::timers_set.size());
    CHECK(fake::virqs.empty());
}

TEST(Schedule, that_a_budget_is_used_up_is_told_once_and_not_while_the_core_works)
{
    box.make({{10, {0}, 2000, 10'000}});
    box.vcpu(0).schedule.core_work = true;
    box.wake(box.vcpu(0));
    box.run_for(50 * ms);
    CHECK(fake::log_lines.empty());
    box.vcpu(0).schedule.core_work = false;
    box.run_for(50 * ms);
    CHECK_EQUAL(1u, fake::log_lines.size());
    CHECK(fake::log_lines[0].find("has used its budget of 2000 us up") != std::string::npos);
}

TEST(Schedule, a_budget_is_given_in_each_period_and_no_more)
{
    box.make({{10, {0}, 2000, 10'000}});
    box.wake(box.vcpu(0));
    box.run_for(1000 * ms);
    CHECK_EQUAL(200 * ms, box.ran[&box.vcpu(0)]);
    CHECK_EQUAL(100, box.vcpu(0).schedule.exhaustions);
    CHECK_EQUAL(2 * ms, box.stretches[1].end - box.stretches[1].begin);
    CHECK_EQUAL(fake::start_ns + 10 * ms, box.stretches[1].begin);
}

TEST(Schedule, what_a_budget_leaves_goes_to_lower_priorities)
{
    box.make({{20, {0}, 3000, 10'000}, {10, {0}}});
    box.wake(box.vcpu(0));
    box.wake(box.vcpu(1));
    box.run_for(100 * ms);
    CHECK_EQUAL(30 * ms, box.ran[&box.vcpu(0)]);
    CHECK_EQUAL(70 * ms, box.ran[&box.vcpu(1)]);
}

TEST(Schedule, a_budget_as_long_as_its_period_is_none)
{
    box.make({{10, {0}, 10'000, 10'000}});
    box.wake(box.vcpu(0));
    box.run_for(100 * ms);
    CHECK_EQUAL(100 * ms, box.ran[&box.vcpu(0)]);
    CHECK_EQUAL(0, box.interrupts);
}

TEST(Schedule, the_end_of_a_lower_priority_budgets_period_does_not_interrupt)
{
    box.make({{20, {0}}, {10, {0}, 1000, 10'000}});
    box.wake(box.vcpu(1));
    box.run_for(2 * ms);
    box.wake(box.vcpu(0));
    box.interrupts = 0;
    box.run_for(50 * ms);
    CHECK_EQUAL(0, box.interrupts);
    box.block(box.vcpu(0));
    POINTERS_EQUAL(&box.vcpu(1), box.decide());
}

TEST(Schedule, a_timer_during_the_wait_for_budget_is_kept_until_its_end)
{
    box.make({{10, {0}, 1000, 10'000}});
    box.wake(box.vcpu(0));
    box.decide();
    set_singleshot(box.vcpu(0), Nanoseconds(fake::tsc + 5 * ms));
    box.run_for(10 * ms);
    CHECK_EQUAL(2, box.interrupts);
    CHECK_EQUAL(1, fake::virqs.size());
    CHECK_EQUAL(fake::start_ns + 10 * ms, fake::virqs[0].at);
}

TEST(Schedule, in_no_stretch_does_a_guest_get_more_than_its_budget_and_rate)
{
    constexpr uint64_t budget = 2 * ms;
    constexpr uint64_t period = 10 * ms;
    box.make({{20, {0}}, {10, {0}, 2000, 10'000}});
    std::mt19937_64 random(1);
    box.wake(box.vcpu(1));
    for (int i = 0; i < 400; ++i) {
        // The guest blocks and wakes when it likes, and is preempted at any time.
        Vcpu& vcpu = box.vcpu(random() % 3 == 0 ? 0 : 1);
        if (random() % 2 == 0)
            box.wake(vcpu);
        else
            box.block(vcpu);
        box.run_for(random() % (4 * ms));
    }
    std::erase_if(box.stretches, [&](const auto& stretch) { return stretch.vcpu != &box.vcpu(1); });
    CHECK(box.stretches.size() > 50);
    for (size_t from = 0; from < box.stretches.size(); ++from) {
        uint64_t ran = 0;
        for (size_t to = from; to < box.stretches.size(); ++to) {
            ran += box.stretches[to].end - box.stretches[to].begin;
            const uint64_t stretch = box.stretches[to].end - box.stretches[from].begin + budget_slack_ns;
            CHECK(ran <= budget + stretch * budget / period + 1);
        }
    }
}

TEST(Schedule, a_vCPU_that_stands_for_the_cores_work_is_chosen_like_any_other)
{
    box.make({{20, {0}}, {10, {0}}});
    box.vcpu(1).schedule.core_work = true;
    box.wake(box.vcpu(1));
    POINTERS_EQUAL(&box.vcpu(1), box.decide());
    POINTERS_EQUAL(nullptr, this_cpu().current);
    box.wake(box.vcpu(0));
    POINTERS_EQUAL(&box.vcpu(0), box.decide());
}

TEST(Schedule, the_CPU_wakes_when_the_console_wants_to_go_on)
{
    box.make({{10, {0}}});
    fake::console_deadline = Nanoseconds(fake::tsc + 1 * ms);
    note_console_deadline();
    box.decide();
    CHECK(this_cpu().schedule.timer == fake::console_deadline);
    run_timers();
    CHECK_EQUAL(0, this_cpu().work.load());
    fake::tsc += 1 * ms;
    run_timers();
    CHECK_EQUAL(work_console, this_cpu().work.load());
    this_cpu().work = 0;
    fake::console_deadline = never;
    note_console_deadline();
    box.decide();
    CHECK(this_cpu().schedule.timer == never);
}

TEST(Schedule, a_watchdogs_time_is_programmed_and_looked_at)
{
    box.make({{10, {0}}});
    set_watchdog_event(Nanoseconds(fake::tsc + 1 * ms));
    box.decide();
    CHECK(this_cpu().schedule.timer == Nanoseconds(fake::tsc + 1 * ms));
    run_timers();
    CHECK_EQUAL(0, watchdog_checks);
    fake::tsc += 1 * ms;
    run_timers();
    CHECK_EQUAL(1, watchdog_checks);
}

TEST(Schedule, a_clock_that_steps_back_charges_nobody)
{
    box.make({{10, {0}, 1000, 10'000}});
    box.wake(box.vcpu(0));
    box.decide();
    fake::tsc -= 100;
    box.decide();
    CHECK_EQUAL(1 * ms, box.vcpu(0).schedule.budget_left_ns);
}

TEST(Schedule, counters_tell_run_and_wait_times_up_to_now)
{
    box.make({{20, {0}}, {10, {0}}});
    box.wake(box.vcpu(1));
    box.run_for(2 * ms);
    box.wake(box.vcpu(0));
    box.run_for(3 * ms);
    fake::tsc += 1 * ms;
    const ScheduleCounters first = schedule_counters(box.vcpu(0));
    CHECK_EQUAL(4 * ms, first.run_ns);
    CHECK(first.running);
    const ScheduleCounters second = schedule_counters(box.vcpu(1));
    CHECK_EQUAL(2 * ms, second.run_ns);
    CHECK_EQUAL(4 * ms, second.wait_ns);
    CHECK_EQUAL(1, second.dispatches);
    CHECK_FALSE(second.running);
}

TEST_GROUP(Windows) {
    fake::Box box;
};

TEST(Windows, only_the_windows_partition_runs)
{
    box.make({{10, {0}}, {20, {0}}}, {{0, 0, 3000}, {0, 1, 1000}, {0, 0xffff, 1000}});
    box.wake(box.vcpu(0));
    box.wake(box.vcpu(1));
    fake::tsc = fake::start_ns;          // a multiple of the frame
    box.run_for(50 * ms);
    CHECK_EQUAL(30 * ms, box.ran[&box.vcpu(0)]);
    CHECK_EQUAL(10 * ms, box.ran[&box.vcpu(1)]);
    CHECK_EQUAL(fake::start_ns + 5 * ms, box.stretches[2].begin);
}

TEST(Windows, a_partition_without_a_window_does_not_run)
{
    box.make({{10, {0}}, {20, {0}}}, {{0, 0, 3000}, {0, 0xffff, 1000}});
    box.wake(box.vcpu(1));
    box.run_for(20 * ms);
    CHECK_EQUAL(0, box.ran[&box.vcpu(1)]);
}

TEST(Windows, other_CPUs_have_no_table)
{
    box.make({{10, {1}}}, {{0, 0xffff, 1000}});
    fake::current_cpu = 1;
    box.wake(box.vcpu(0));
    POINTERS_EQUAL(&box.vcpu(0), box.decide());
}

TEST(Windows, a_table_of_one_partition_alone_needs_no_timer)
{
    box.make({{10, {0}}, {20, {0}}}, {{0, 0, 3000}, {0, 0, 1000}});
    box.wake(box.vcpu(0));
    box.wake(box.vcpu(1));
    box.run_for(100 * ms);
    CHECK_EQUAL(100 * ms, box.ran[&box.vcpu(0)]);
    CHECK_EQUAL(0, box.interrupts);
}

TEST(Windows, equal_neighbours_are_one_window)
{
    box.make({{10, {0}}, {20, {0}}}, {{0, 0, 1000}, {0, 0, 1000}, {0, 1, 0}, {0, 0, 1000}, {0, 1, 1000}});
    CHECK_EQUAL(2, this_cpu().schedule.windows.size());
    CHECK_EQUAL(3 * ms, this_cpu().schedule.windows[0].end_ns);
    CHECK_EQUAL(4 * ms, this_cpu().schedule.windows[1].end_ns);
}

TEST(Windows, a_CPU_that_comes_late_opens_the_window_of_the_present)
{
    box.make({{10, {0}}, {20, {0}}}, {{0, 0, 3000}, {0, 1, 1000}});
    box.wake(box.vcpu(0));
    box.wake(box.vcpu(1));
    fake::tsc = fake::start_ns + 1003 * ms + 500 * us;
    POINTERS_EQUAL(&box.vcpu(1), box.decide());
    CHECK(this_cpu().schedule.window_end == Nanoseconds(fake::start_ns + 1004 * ms));
}

TEST(Windows, a_wake_up_outside_its_window_interrupts_nobody)
{
    box.make({{10, {1}}, {20, {1}}}, {{1, 0, 3000}, {1, 1, 1000}});
    fake::current_cpu = 1;
    fake::tsc = fake::start_ns;
    box.wake(box.vcpu(0));
    box.decide();
    fake::current_cpu = 0;
    fake::pokes.clear();
    box.wake(box.vcpu(1));
    CHECK(fake::pokes.empty());
}

TEST(Windows, a_timer_outside_its_window_waits_for_it)
{
    box.make({{10, {0}}, {20, {0}}}, {{0, 0, 3000}, {0, 1, 1000}});
    fake::tsc = fake::start_ns + 3 * ms;
    box.wake(box.vcpu(1));
    box.decide();
    set_singleshot(box.vcpu(1), Nanoseconds(fake::start_ns + 5 * ms));
    box.block(box.vcpu(1));
    box.run_until(fake::start_ns + 8 * ms);
    CHECK_EQUAL(1, fake::virqs.size());
    CHECK_EQUAL(fake::start_ns + 7 * ms, fake::virqs[0].at);
}

TEST(Windows, a_budget_counts_within_windows)
{
    box.make({{10, {0}, 1000, 100'000}, {20, {0}}}, {{0, 0, 5000}, {0, 1, 5000}});
    fake::tsc = fake::start_ns;
    box.wake(box.vcpu(0));
    box.run_for(200 * ms);
    CHECK_EQUAL(2 * ms, box.ran[&box.vcpu(0)]);
}

TEST_GROUP(ScheduleRaces) {
    fake::Box box;
};

// Two threads as two CPUs: whatever comes between, the last word of the one that holds and releases
// decides, and the other was asked to look.
TEST(ScheduleRaces, no_hold_and_no_wake_up_is_lost_between_CPUs)
{
    box.make({{10, {0}}, {20, {0}}});
    for (size_t round = 0; round < 100; ++round) {
        std::atomic<bool> done{false};
        std::thread other([&] {
            fake::current_cpu = 1;
            for (size_t i = 0; i < 100; ++i) {
                box.wake(box.vcpu(i % 2));
                if ((i + round) % 3 != 0)
                    hold(box.vcpu(i % 2), hold_paused);
            }
            done.store(true);
        });
        while (!done.load())
            box.decide();
        other.join();
        // Only if it was asked to.
        if (this_cpu().work.load() != 0)
            box.decide();
        Vcpu* expected = nullptr;
        for (size_t i = 0; i < 2; ++i) {
            if (box.vcpu(i).hold.load() == 0)
                expected = &box.vcpu(i);
        }
        POINTERS_EQUAL(expected, this_cpu().current);
    }
}
