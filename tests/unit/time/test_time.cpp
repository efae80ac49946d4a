// SPDX-License-Identifier: BSD-2-Clause
// Timers, what guests see of the clock, and runstates: core/vcpu_time.cpp, vcpu_timers.cpp, timer_op.cpp.
#include <CppUTest/TestHarness.h>

#include "tests/unit/schedule/box.hpp"

#include "core/schedule.cpp"
#include "core/schedule_requests.cpp"
#include "core/schedule_start.cpp"
#include "core/timer_op.cpp"
#include "core/vcpu_time.cpp"
#include "core/vcpu_timers.cpp"

namespace bulkhead {

void check_watchdogs(Nanoseconds) {}
void wake_home(Partition&) {}

}  // namespace bulkhead

using namespace bulkhead;
using fake::ms;
using fake::us;

namespace {

constexpr uint64_t area_address = 0xffff'8880'0000'1000;

long set_timer_op(Vcpu& vcpu, uint64_t deadline)
{
    HypercallArguments arguments{};
    arguments.value[0] = deadline;
    return do_set_timer_op(vcpu, arguments);
}

}  // namespace

TEST_GROUP(Timers) {
    fake::Box box;
    Vcpu* vcpu = nullptr;
    void setup() override
    {
        box.make({{10, {0, 1}}});
        vcpu = &box.vcpu(0);
        box.wake(*vcpu);
        box.decide();
    }
    void advance(uint64_t ns)
    {
        fake::tsc += ns;
        box.decide();
    }
};

TEST(Timers, a_single_shot_fires_once_at_its_time)
{
    CHECK_EQUAL(0, set_timer_op(*vcpu, fake::tsc + 2 * ms));
    advance(2 * ms - 1);
    CHECK(fake::virqs.empty());
    advance(1);
    CHECK_EQUAL(1, fake::virqs.size());
    CHECK_EQUAL(VIRQ_TIMER, fake::virqs[0].virq);
    POINTERS_EQUAL(vcpu, fake::virqs[0].vcpu);
    advance(1000 * ms);
    CHECK_EQUAL(1, fake::virqs.size());
}

TEST(Timers, a_new_deadline_replaces_the_former)
{
    CHECK_EQUAL(0, set_timer_op(*vcpu, fake::tsc + 1 * ms));
    CHECK_EQUAL(0, set_timer_op(*vcpu, fake::tsc + 3 * ms));
    advance(2 * ms);
    CHECK(fake::virqs.empty());
    advance(1 * ms);
    CHECK_EQUAL(1, fake::virqs.size());
}

TEST(Timers, zero_stops_the_single_shot)
{
    CHECK_EQUAL(0, set_timer_op(*vcpu, fake::tsc + 1 * ms));
    CHECK_EQUAL(0, set_timer_op(*vcpu, 0));
    CHECK(this_cpu().schedule.timer == never);
    advance(2 * ms);
    CHECK(fake::virqs.empty());
}

TEST(Timers, a_deadline_that_has_passed_fires_before_the_guest_goes_on)
{
    CHECK_EQUAL(0, set_timer_op(*vcpu, fake::tsc - 1));
    CHECK(this_cpu().schedule.timer == Nanoseconds(fake::tsc - 1));
    advance(0);
    CHECK_EQUAL(1, fake::virqs.size());
}

TEST(Timers, negative_and_far_deadlines_become_a_tenth_of_a_second)
{
    for (const uint64_t odd : {uint64_t{1} << 63, ~uint64_t{0}, fake::tsc + (uint64_t{1} << 50), uint64_t{1} << 62}) {
        CHECK_EQUAL(0, set_timer_op(*vcpu, odd));
        CHECK(vcpu->time.singleshot == Nanoseconds(fake::tsc + 100 * ms));
    }
    CHECK_EQUAL(0, set_timer_op(*vcpu, fake::tsc + (uint64_t{1} << 50) - 1));
    CHECK(vcpu->time.singleshot == Nanoseconds(fake::tsc + (uint64_t{1} << 50) - 1));
}

TEST(Timers, there_is_no_periodic_timer_until_it_is_asked_for)
{
    advance(1000 * ms);
    CHECK(fake::virqs.empty());
    CHECK(this_cpu().schedule.timer == never);
}

TEST(Timers, a_periodic_timer_keeps_its_grid)
{
    const uint64_t begin = fake::tsc;
    set_periodic(*vcpu, 10 * ms);
    box.run_for(35 * ms);
    CHECK_EQUAL(3, fake::virqs.size());
    for (size_t i = 0; i < 3; ++i)
        CHECK_EQUAL(begin + (i + 1) * 10 * ms, fake::virqs[i].at);
}

TEST(Timers, periodic_ticks_that_were_missed_are_one)
{
    set_periodic(*vcpu, 10 * ms);
    const uint64_t begin = fake::tsc;
    hold(*vcpu, hold_paused);
    box.run_for(95 * ms);
    release(*vcpu, hold_paused);
    box.decide();
    CHECK_EQUAL(1, fake::virqs.size());
    CHECK(vcpu->time.periodic_next == Nanoseconds(begin + 100 * ms));
}

TEST(Timers, single_shot_and_periodic_at_once_are_one_interrupt)
{
    set_periodic(*vcpu, 10 * ms);
    set_singleshot(*vcpu, Nanoseconds(fake::tsc + 10 * ms));
    advance(10 * ms);
    CHECK_EQUAL(1, fake::virqs.size());
    CHECK(vcpu->time.singleshot == never);
}

TEST(Timers, a_stopped_periodic_timer_is_silent)
{
    set_periodic(*vcpu, 10 * ms);
    set_periodic(*vcpu, 0);
    advance(100 * ms);
    CHECK(fake::virqs.empty());
}

TEST(Timers, a_period_set_from_another_CPU_begins_when_its_own_comes_to_it)
{
    Vcpu& other = box.vcpu(0, 1);
    fake::pokes.clear();
    set_periodic(other, 10 * ms);
    CHECK(fake::pokes.empty());           // it is not running there
    CHECK_EQUAL(0, other.time.periodic_ns);
    fake::current_cpu = 1;
    box.wake(other);
    box.decide();
    CHECK_EQUAL(10 * ms, other.time.periodic_ns);
    CHECK(other.time.periodic_next == Nanoseconds(fake::tsc + 10 * ms));
    CHECK(this_cpu().schedule.timer == other.time.periodic_next);
}

TEST(Timers, a_period_set_from_another_CPU_interrupts_the_vCPU_that_runs)
{
    Vcpu& other = box.vcpu(0, 1);
    fake::current_cpu = 1;
    box.wake(other);
    box.decide();
    fake::current_cpu = 0;
    fake::pokes.clear();
    set_periodic(other, 10 * ms);
    CHECK_EQUAL(1, fake::pokes.size());
    CHECK(fake::pokes[0] == CpuNumber(1));
}

TEST(Timers, the_end_of_a_poll_releases_the_vCPU_without_an_interrupt_to_it)
{
    vcpu->time.poll_deadline = Nanoseconds(fake::tsc + 1 * ms);
    hold(*vcpu, hold_polling);
    timers_changed(*vcpu);
    POINTERS_EQUAL(nullptr, box.decide());
    fake::tsc += 1 * ms;
    POINTERS_EQUAL(vcpu, box.decide());
    CHECK(fake::virqs.empty());
    CHECK_EQUAL(1, fake::polls_stopped.size());
}

TEST(Timers, times_near_the_end_of_the_clock_do_not_wrap)
{
    fake::tsc = (uint64_t{1} << 63) - 1000;
    box.decide();
    set_singleshot(*vcpu, Nanoseconds(~uint64_t{0} - 1));
    box.decide();
    CHECK(fake::virqs.empty());
    set_periodic(*vcpu, ~uint64_t{0} >> 2);
    box.decide();
    CHECK(fake::virqs.empty());
}

TEST_GROUP(Clock) {
    fake::Box box;
    Vcpu* vcpu = nullptr;
    void setup() override
    {
        box.make({{10, {0}}, {10, {0}}});
        vcpu = &box.vcpu(0);
    }
    vcpu_time_info_t& seen() { return vcpu->info->time; }
    void switch_in()
    {
        box.wake(*vcpu);
        POINTERS_EQUAL(vcpu, box.decide());
    }
    void switch_out_and_in()
    {
        box.block(*vcpu);
        box.decide();
        switch_in();
    }
};

TEST(Clock, a_guest_sees_the_time_before_its_first_instruction)
{
    fake::scale = {TscTicks(5), Nanoseconds(7), 0x80000000u, 1, true};
    switch_in();
    CHECK_EQUAL(2, seen().version);
    CHECK_EQUAL(5, seen().tsc_timestamp);
    CHECK_EQUAL(7, seen().system_time);
    CHECK_EQUAL(0x80000000u, seen().tsc_to_system_mul);
    CHECK_EQUAL(1, seen().tsc_shift);
    CHECK_EQUAL(XEN_PVCLOCK_TSC_STABLE_BIT, seen().flags);
}

TEST(Clock, a_stable_clock_is_written_once)
{
    switch_in();
    switch_out_and_in();
    CHECK_EQUAL(2, seen().version);
}

TEST(Clock, another_clock_is_anchored_anew_each_time)
{
    fake::scale.stable = false;
    switch_in();
    const uint64_t first = fake::tsc;
    CHECK_EQUAL(first, seen().tsc_timestamp);
    CHECK_EQUAL(first, seen().system_time);
    CHECK_EQUAL(0, seen().flags);
    fake::tsc += 1000;
    switch_out_and_in();
    CHECK_EQUAL(first + 1000, seen().tsc_timestamp);
    CHECK_EQUAL(4, seen().version);
}

TEST(Clock, the_guests_own_writes_to_the_version_are_not_read_back)
{
    switch_in();
    seen().version = 77;
    update_time(*vcpu);
    CHECK_EQUAL(4, seen().version);
}

TEST(Clock, a_refined_clock_reaches_who_runs_and_who_comes_later)
{
    switch_in();
    fake::scale.multiplier = 0x80000001u;
    fake::pokes.clear();
    clock_changed();
    CHECK_EQUAL(2, fake::pokes.size());
    CHECK_EQUAL(work_timer, this_cpu().work.load());
    box.decide();
    CHECK_EQUAL(0x80000001u, seen().tsc_to_system_mul);
    fake::scale.multiplier = 0x80000002u;
    box.block(*vcpu);
    box.decide();
    clock_changed();
    box.decide();
    CHECK_EQUAL(0x80000001u, seen().tsc_to_system_mul);
    switch_in();
    CHECK_EQUAL(0x80000002u, seen().tsc_to_system_mul);
}

TEST(Clock, the_secondary_area_gets_the_same_with_an_odd_version_in_between)
{
    vcpu_time_info_t area{};
    fake::map_guest(area_address, area);
    std::vector<uint32_t> versions;
    fake::on_guest_access = [&](GuestVirtual, size_t, bool) { versions.push_back(area.version); };
    vcpu->time.time_area = area_address;
    switch_in();
    CHECK_EQUAL(0, std::memcmp(&area, &seen(), sizeof(area)));
    CHECK_EQUAL(3, versions.size());
    CHECK_EQUAL(1, versions[1]);
    CHECK_EQUAL(1, versions[2]);
}

TEST(Clock, a_secondary_area_that_is_not_mapped_changes_nothing_else)
{
    vcpu->time.time_area = area_address;
    switch_in();
    CHECK_EQUAL(2, seen().version);
    CHECK_EQUAL(1, fake::guest_writes);
}

TEST(Clock, areas_are_written_through_the_kernels_tables)
{
    vcpu_time_info_t time_area{};
    vcpu_runstate_info_t runstate_area{};
    fake::map_guest(area_address, time_area);
    fake::map_guest(area_address + 64, runstate_area);
    vcpu->time.time_area = area_address;
    vcpu->time.runstate_area = area_address + 64;
    vcpu->pv.kernel_table = Mfn(0x11);
    vcpu->pv.user_table = Mfn(0x22);
    vcpu->pv.kernel_mode = false;
    fake::registers.table = 0x22;
    unsigned wrong = 0;
    fake::on_guest_access = [&](GuestVirtual, size_t, bool) { wrong += fake::registers.table != 0x11; };
    switch_in();
    CHECK_EQUAL(0, wrong);
    CHECK_EQUAL(0x22, fake::registers.table);
    CHECK_EQUAL(2, time_area.version);
    CHECK_EQUAL(RUNSTATE_running, runstate_area.state);
}

TEST(Clock, the_wall_clock_is_the_boxs_with_an_even_version)
{
    fake::wall_clock = {(uint64_t{3} << 32) + 5, 999};
    box.partition(0).generation = 4;
    update_wall_clock(box.partition(0));
    const shared_info_t& shared = *box.partition(0).shared;
    CHECK_EQUAL(10, shared.wc_version);
    CHECK_EQUAL(5, shared.wc_sec);
    CHECK_EQUAL(3, shared.wc_sec_hi);
    CHECK_EQUAL(999, shared.wc_nsec);
}

TEST_GROUP(Runstate) {
    fake::Box box;
    Vcpu* vcpu = nullptr;
    Vcpu* above = nullptr;
    void setup() override
    {
        box.make({{10, {0}}, {20, {0}}});
        vcpu = &box.vcpu(0);
        above = &box.vcpu(1);
    }
};

TEST(Runstate, the_four_times_are_what_happened_and_add_up)
{
    const uint64_t begin = fake::tsc;
    box.run_for(1 * ms);                     // offline
    box.wake(*vcpu);
    box.run_for(2 * ms);                     // running
    box.wake(*above);
    box.run_for(3 * ms);                     // runnable
    box.block(*above);
    box.run_for(4 * ms);                     // running
    box.block(*vcpu);
    box.run_for(5 * ms);                     // blocked
    const vcpu_runstate_info_t now = runstate_of(*vcpu);
    CHECK_EQUAL(RUNSTATE_blocked, now.state);
    CHECK_EQUAL(1 * ms, now.time[RUNSTATE_offline]);
    CHECK_EQUAL(6 * ms, now.time[RUNSTATE_running]);
    CHECK_EQUAL(3 * ms, now.time[RUNSTATE_runnable]);
    CHECK_EQUAL(5 * ms, now.time[RUNSTATE_blocked]);
    CHECK_EQUAL(fake::tsc - begin, now.time[0] + now.time[1] + now.time[2] + now.time[3]);
}

TEST(Runstate, a_wait_counts_from_the_wake_up_even_if_that_interrupted_nobody)
{
    box.wake(*vcpu);
    box.decide();
    box.block(*vcpu);
    box.wake(*above);
    box.decide();
    fake::tsc += 1 * ms;
    box.wake(*vcpu);
    CHECK_EQUAL(0, this_cpu().work.load());
    fake::tsc += 2 * ms;
    box.decide();
    CHECK_EQUAL(2 * ms, runstate_of(*vcpu).time[RUNSTATE_runnable]);
    CHECK_EQUAL(1 * ms, runstate_of(*vcpu).time[RUNSTATE_blocked]);
}

TEST(Runstate, waiting_for_budget_is_waiting_for_the_CPU)
{
    vcpu->schedule.budget_ns = 1 * ms;
    vcpu->schedule.period_ns = 10 * ms;
    box.wake(*vcpu);
    box.run_for(10 * ms);
    CHECK_EQUAL(1 * ms, runstate_of(*vcpu).time[RUNSTATE_running]);
    CHECK_EQUAL(9 * ms, runstate_of(*vcpu).time[RUNSTATE_runnable]);
}

TEST(Runstate, paused_is_offline)
{
    box.wake(*vcpu);
    box.decide();
    hold(*vcpu, hold_paused);
    box.run_for(3 * ms);
    CHECK_EQUAL(3 * ms, runstate_of(*vcpu).time[RUNSTATE_offline]);
}

TEST(Runstate, the_guests_copy_says_running_since_the_switch)
{
    vcpu_runstate_info_t area{};
    fake::map_guest(area_address, area);
    vcpu->time.runstate_area = area_address;
    box.run_for(1 * ms);
    box.wake(*vcpu);
    box.decide();
    CHECK_EQUAL(RUNSTATE_running, area.state);
    CHECK_EQUAL(fake::tsc, area.state_entry_time);
    CHECK_EQUAL(1 * ms, area.time[RUNSTATE_offline]);
    CHECK_EQUAL(1, fake::guest_writes);
}

TEST(Runstate, with_the_assist_the_copy_is_marked_while_it_changes)
{
    vcpu_runstate_info_t area{};
    fake::map_guest(area_address, area);
    vcpu->time.runstate_area = area_address;
    box.partition(0).vm_assist = uint64_t{1} << VMASST_TYPE_runstate_update_flag;
    std::vector<uint64_t> entry_times;
    fake::on_guest_access = [&](GuestVirtual, size_t, bool) { entry_times.push_back(area.state_entry_time); };
    box.wake(*vcpu);
    box.decide();
    CHECK_EQUAL(3, entry_times.size());
    CHECK_EQUAL(fake::tsc | XEN_RUNSTATE_UPDATE, entry_times[1]);
    CHECK_EQUAL(fake::tsc | XEN_RUNSTATE_UPDATE, entry_times[2]);
    CHECK_EQUAL(fake::tsc, area.state_entry_time);
}

TEST(Runstate, a_copy_that_is_not_mapped_is_left_alone)
{
    vcpu->time.runstate_area = area_address;
    box.partition(0).vm_assist = uint64_t{1} << VMASST_TYPE_runstate_update_flag;
    box.wake(*vcpu);
    POINTERS_EQUAL(vcpu, box.decide());
    CHECK_EQUAL(1, fake::guest_writes);
}

TEST(Runstate, a_reset_begins_offline_and_without_timers_or_areas)
{
    box.wake(*vcpu);
    box.decide();
    set_singleshot(*vcpu, Nanoseconds(fake::tsc + 1));
    vcpu->time.runstate_area = 1;
    vcpu->time.time_area = 1;
    hold(*vcpu, hold_stopped);
    box.run_for(0);
    reset_time(*vcpu);
    CHECK(vcpu->schedule.next_event == never);
    CHECK_EQUAL(0, vcpu->time.runstate_area.load());
    CHECK_EQUAL(0, vcpu->time.time_area.load());
    fake::tsc += 1 * ms;
    const vcpu_runstate_info_t now = runstate_of(*vcpu);
    CHECK_EQUAL(RUNSTATE_offline, now.state);
    CHECK_EQUAL(1 * ms, now.time[RUNSTATE_offline]);
    CHECK_EQUAL(0, now.time[RUNSTATE_running]);
}
