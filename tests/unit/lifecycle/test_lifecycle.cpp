// SPDX-License-Identifier: BSD-2-Clause
// Lives of partitions: requests, policy, the way from one life to the next, and crashes.
#include "tests/unit/lifecycle/living_box.hpp"

using namespace bulkhead;

TEST_GROUP(Lifecycle) {
    LivingBox box;
    void setup() override
    {
        calls.clear();
        slices = 3;
        done_slices.clear();
        holders.clear();
        build_fails = false;
        partition_log.clear();
        box.make_stopped({{12, {0, 1}}, {10, {1, 0}}});
    }
    Partition& first() { return box.partition(0); }
    void check_calls(const std::vector<std::string>& expected)
    {
        std::string got;
        for (const std::string& call : calls)
            got += call + ", ";
        std::string wanted;
        for (const std::string& call : expected)
            wanted += call + ", ";
        STRCMP_EQUAL(wanted.c_str(), got.c_str());
        calls.clear();
    }
    void start()
    {
        box.start();
        calls.clear();
        fake::log_lines.clear();
    }
    void bring_up_second()
    {
        first().vcpus[1].initialised = true;
        release(first().vcpus[1], hold_down);
        box.settle();
        POINTERS_EQUAL(&first().vcpus[1], fake::cpus[1].current);
    }
};

TEST(Lifecycle, partitions_that_start_by_themselves_are_built_and_run)
{
    box.plan(1).flags = 0;
    box.start();
    check_calls({"build 1", "connect 1"});
    CHECK(box.state(0) == PartitionState::running);
    CHECK(box.state(1) == PartitionState::stopped);
    POINTERS_EQUAL(&first().vcpus[0], fake::cpus[0].current);
    CHECK_EQUAL(0, first().vcpus[0].hold.load());
    CHECK_EQUAL(hold_down, first().vcpus[1].hold.load());
    CHECK(first().vcpus[0].initialised);
    CHECK_EQUAL(1, first().generation);
    CHECK_EQUAL(1, first().health.starts);
    CHECK(given_grants.console == Mfn(0x1007));
    CHECK(given_grants.store == invalid_mfn);
    CHECK(box.logged("p0: runs (life 1,"));
    STRCMP_EQUAL("", partition_log.c_str());
    CHECK(first().shared->wc_sec != 0);
}

TEST(Lifecycle, a_partition_that_was_left_out_answers_with_its_reason)
{
    first().state = PartitionState::left_out;
    first().reason = "there is no CPU 9";
    for (auto* request : {request_start, request_stop, request_restart, request_pause, request_resume})
        STRCMP_EQUAL("there is no CPU 9", request(first()));
    start_partitions();
    CHECK_EQUAL(0, first().lifecycle.requests.load());
}

TEST(Lifecycle, a_reboot_clears_everything_in_order_and_runs_again)
{
    start();
    box.plan(0).on_reboot = plan::Action::restart;
    bring_up_second();
    shut_down(first(), SHUTDOWN_reboot);
    box.settle();
    check_calls({"disconnect 1", "events 1", "grants 1", "memory 1", "build 1", "connect 1"});
    CHECK(box.state(0) == PartitionState::running);
    CHECK_EQUAL(2, first().generation);
    CHECK_EQUAL(1, first().health.reboots);
    CHECK_EQUAL(hold_down, first().vcpus[1].hold.load());
    CHECK_FALSE(first().vcpus[1].initialised);
    CHECK(box.logged("p0: asked for a reboot; restarting as on_reboot says (life 2)"));
    CHECK(box.logged("p0: runs (life 2,"));
    STRCMP_EQUAL("---- life 2 ----\n", partition_log.c_str());
    STRCMP_EQUAL("asked for a reboot", first().health.last_reason.data());
}

TEST(Lifecycle, what_a_life_left_in_its_vCPUs_is_gone_in_the_next)
{
    start();
    box.plan(0).on_reboot = plan::Action::restart;
    Vcpu& vcpu = first().vcpus[0];
    vcpu_info_t moved{};
    vcpu.info = &moved;
    vcpu.registers.rax = 1;
    vcpu.pv.traps[3].address = 1;
    vcpu.pv.kernel_table = Mfn(9);
    vcpu.time.runstate_area = 8;
    vcpu.time.singleshot = Nanoseconds(fake::tsc + 1);
    first().vm_assist = 5;
    first().lifecycle.latched_reason = SHUTDOWN_reboot;
    CHECK_EQUAL(1, set_watchdog(first(), 0, 5));
    shut_down(first(), SHUTDOWN_reboot);
    box.settle();
    POINTERS_EQUAL(&first().shared->vcpu_info[0], vcpu.info);
    CHECK_EQUAL(0, vcpu.registers.rax);
    CHECK_EQUAL(0, vcpu.pv.traps[3].address);
    CHECK(vcpu.pv.kernel_table == Mfn(0));
    CHECK_EQUAL(1, vcpu.pv.xcr0);
    CHECK_EQUAL(0, vcpu.time.runstate_area.load());
    CHECK(vcpu.time.singleshot == never);
    CHECK_EQUAL(0, first().vm_assist);
    CHECK_EQUAL(no_shutdown, first().lifecycle.latched_reason.load());
    CHECK(first().lifecycle.watchdog[0] == never);
    box.pass(10 * second, second);
    CHECK(box.state(0) == PartitionState::running);
    CHECK_EQUAL(2, first().generation);
}

TEST(Lifecycle, copies_of_tables_stay_where_they_are_and_are_of_none)
{
    start();
    box.plan(0).on_reboot = plan::Action::restart;
    for (uint16_t i = 0; i < 2; ++i)
        first().vcpus[i].pv.views = {{{Mfn(10 + i), Mfn(9), 5}, {Mfn(20 + i), Mfn(9), 5}}};
    shut_down(first(), SHUTDOWN_reboot);
    box.settle();
    CHECK_EQUAL(2, first().generation);
    for (uint16_t i = 0; i < 2; ++i) {
        CHECK(first().vcpus[i].pv.views[0].copy == Mfn(10 + i));
        CHECK(first().vcpus[i].pv.views[1].copy == Mfn(20 + i));
        CHECK(first().vcpus[i].pv.views[0].of == Mfn(0));
        CHECK(first().vcpus[i].pv.views[1].of == Mfn(0));
    }
}

TEST(Lifecycle, a_poweroff_that_destroys_stays_down_and_can_be_started)
{
    start();
    shut_down(first(), SHUTDOWN_poweroff);
    box.settle();
    check_calls({"disconnect 1", "events 1", "grants 1", "memory 1"});
    CHECK(box.state(0) == PartitionState::stopped);
    CHECK_EQUAL(1, first().health.poweroffs);
    CHECK(box.logged("p0: powered off; it stays down, as on_poweroff says"));
    POINTERS_EQUAL(nullptr, request_start(first()));
    box.settle();
    check_calls({"build 1", "connect 1"});
    CHECK(box.state(0) == PartitionState::running);
}

TEST(Lifecycle, preserve_keeps_everything_until_the_operator_decides)
{
    start();
    box.plan(0).on_crash = plan::Action::preserve;
    shut_down(first(), SHUTDOWN_crash);
    box.settle();
    check_calls({});
    CHECK(box.state(0) == PartitionState::crashed);
    STRCMP_EQUAL("crashed", first().reason);
    CHECK_EQUAL(0, first().memory.running_on.load());
    CHECK(box.logged("p0: crashed; kept for a look, as on_crash says"));
    POINTERS_EQUAL(nullptr, request_start(first()));
    box.settle();
    CHECK(box.state(0) == PartitionState::running);
    CHECK_EQUAL(2, first().generation);
    check_calls({"disconnect 1", "events 1", "grants 1", "memory 1", "build 1", "connect 1"});
}

TEST(Lifecycle, each_reason_has_its_own_property)
{
    start();
    plan::Partition& plan = box.plan(0);
    plan.on_poweroff = plan.on_reboot = plan.on_crash = plan.on_watchdog = plan::Action::restart;
    const struct {
        uint32_t reason;
        const char* property;
    } cases[] = {{SHUTDOWN_poweroff, "on_poweroff"}, {SHUTDOWN_reboot, "on_reboot"},
                 {SHUTDOWN_crash, "on_crash"},       {SHUTDOWN_watchdog, "on_watchdog"},
                 {SHUTDOWN_soft_reset, "on_reboot"}, {77, "on_crash"}};
    for (const auto& one : cases) {
        fake::log_lines.clear();
        shut_down(first(), one.reason);
        box.settle();
        CHECK(box.logged(one.property));
        CHECK(box.state(0) == PartitionState::running);
    }
    CHECK_EQUAL(7, first().generation);
    CHECK_EQUAL(1, first().health.poweroffs);
    CHECK_EQUAL(2, first().health.reboots);
    CHECK_EQUAL(2, first().health.crashes);
    CHECK_EQUAL(1, first().health.watchdog_fires);
}

TEST(Lifecycle, the_first_reason_wins)
{
    start();
    box.plan(0).on_reboot = plan::Action::restart;
    shut_down(first(), SHUTDOWN_reboot);
    shut_down(first(), SHUTDOWN_poweroff);
    box.settle();
    CHECK(box.state(0) == PartitionState::running);
    CHECK_EQUAL(0, first().health.poweroffs);
}

TEST(Lifecycle, a_latched_code_takes_the_place_of_the_reason)
{
    start();
    box.plan(0).on_reboot = plan::Action::restart;
    first().lifecycle.latched_reason = SHUTDOWN_reboot;
    shut_down(first(), SHUTDOWN_crash);
    box.settle();
    CHECK_EQUAL(1, first().health.reboots);
    CHECK_EQUAL(0, first().health.crashes);
}

TEST(Lifecycle, nothing_is_cleared_while_another_CPU_runs_on_its_tables)
{
    start();
    bring_up_second();
    shut_down(first(), SHUTDOWN_poweroff);
    fake::current_cpu = 0;
    box.decide();
    lifecycle_work();
    CHECK(first().lifecycle.stage == LifecycleStage::leaving);
    check_calls({});
    box.settle();
    CHECK(box.state(0) == PartitionState::stopped);
}

TEST(Lifecycle, nothing_is_cleared_while_an_idle_CPU_keeps_its_tables_loaded)
{
    start();
    (void)request_stop(box.partition(1));
    bring_up_second();
    hold(first().vcpus[1], hold_blocked);
    box.settle();
    POINTERS_EQUAL(nullptr, fake::cpus[1].current);
    CHECK_EQUAL(3, first().memory.running_on.load());
    fake::pokes.clear();
    shut_down(first(), SHUTDOWN_poweroff);
    CHECK(std::find(fake::pokes.begin(), fake::pokes.end(), CpuNumber(1)) == fake::pokes.end());
    box.settle();
    CHECK(std::find(fake::pokes.begin(), fake::pokes.end(), CpuNumber(1)) != fake::pokes.end());
    CHECK(box.state(0) == PartitionState::stopped);
}

TEST(Lifecycle, other_partitions_run_between_the_slices)
{
    start();
    box.plan(0).on_reboot = plan::Action::restart;
    slices = 50;
    Vcpu& neighbour = box.partition(1).vcpus[1];
    neighbour.initialised = true;
    neighbour.schedule.priority = 20;
    release(neighbour, hold_down);
    box.settle();
    shut_down(first(), SHUTDOWN_reboot);
    box.settle();
    check_calls({"disconnect 1"});       // the neighbour is above, and runs
    POINTERS_EQUAL(&neighbour, fake::cpus[0].current);
    hold(neighbour, hold_blocked);
    box.settle();
    CHECK(box.state(0) == PartitionState::running);
}

TEST(Lifecycle, building_is_charged_to_the_partitions_budget)
{
    slices = 1'000'000;
    Vcpu& vcpu = first().vcpus[0];
    vcpu.schedule.budget_ns = 1 * ms;
    vcpu.schedule.period_ns = 10 * ms;
    POINTERS_EQUAL(nullptr, request_start(first()));
    lifecycle_work();
    POINTERS_EQUAL(&vcpu, pick_next());
    for (int i = 0; i < 10; ++i) {
        lifecycle_step(vcpu);
        fake::tsc += ms / 10;
    }
    POINTERS_EQUAL(nullptr, pick_next());
    CHECK_EQUAL(hold_budget, vcpu.hold.load());
    CHECK_EQUAL(1, vcpu.schedule.exhaustions);
}

TEST(Lifecycle, mappings_that_go_in_time_disturb_nobody)
{
    start();
    box.plan(0).on_reboot = plan::Action::restart;
    holders[&first()] = &box.partition(1);
    shut_down(first(), SHUTDOWN_reboot);
    box.settle();
    box.pass(50 * ms);
    CHECK(box.state(0) == PartitionState::shut_down);
    holders.clear();
    box.pass(2 * ms);
    CHECK(box.state(0) == PartitionState::running);
    CHECK_EQUAL(1, box.partition(1).generation);
}

TEST(Lifecycle, who_keeps_mappings_for_too_long_is_restarted)
{
    start();
    box.plan(0).on_reboot = plan::Action::restart;
    holders[&first()] = &box.partition(1);
    shut_down(first(), SHUTDOWN_reboot);
    box.settle();
    box.pass(99 * ms);
    CHECK_EQUAL(1, box.partition(1).generation);
    box.pass(5 * ms);
    CHECK(box.logged("p0: p1 still maps its memory after 100 ms and is restarted"));
    CHECK_EQUAL(2, box.partition(1).generation);
    CHECK(box.state(0) == PartitionState::running);
    CHECK(box.state(1) == PartitionState::running);
}

TEST(Lifecycle, two_that_hold_each_other_both_come_back)
{
    start();
    box.plan(0).on_reboot = box.plan(1).on_reboot = plan::Action::restart;
    holders[&first()] = &box.partition(1);
    holders[&box.partition(1)] = &first();
    shut_down(first(), SHUTDOWN_reboot);
    shut_down(box.partition(1), SHUTDOWN_reboot);
    box.settle();
    box.pass(200 * ms);
    CHECK(box.state(0) == PartitionState::running);
    CHECK(box.state(1) == PartitionState::running);
    CHECK_EQUAL(2, first().generation);
    CHECK_EQUAL(2, box.partition(1).generation);
}

TEST(Lifecycle, a_holder_that_is_kept_for_a_look_is_let_go)
{
    start();
    box.plan(0).on_reboot = plan::Action::restart;
    box.plan(1).on_crash = plan::Action::preserve;
    holders[&first()] = &box.partition(1);
    shut_down(box.partition(1), SHUTDOWN_crash);
    shut_down(first(), SHUTDOWN_reboot);
    box.settle();
    box.pass(200 * ms);
    CHECK(box.state(0) == PartitionState::running);
    CHECK(box.state(1) == PartitionState::stopped);
}

TEST(Lifecycle, a_build_that_fails_is_said_and_cleared)
{
    build_fails = true;
    box.plan(1).flags = 0;
    box.start();
    CHECK(box.state(0) == PartitionState::stopped);
    STRCMP_EQUAL("the kernel's payload is damaged", first().reason);
    CHECK(box.logged("p0: cannot be built: the kernel's payload is damaged"));
    check_calls({"memory 1"});
    build_fails = false;
    POINTERS_EQUAL(nullptr, request_start(first()));
    box.settle();
    CHECK(box.state(0) == PartitionState::running);
    POINTERS_EQUAL(nullptr, first().reason);
}

TEST(Lifecycle, too_many_crashes_in_a_short_time_keep_it_down)
{
    start();
    box.plan(0).on_crash = plan::Action::restart;
    for (unsigned i = 0; i < crash_restarts_at_most; ++i) {
        shut_down(first(), SHUTDOWN_crash);
        box.settle();
        CHECK(box.state(0) == PartitionState::running);
        fake::tsc += second;
    }
    shut_down(first(), SHUTDOWN_crash);
    box.settle();
    CHECK(box.state(0) == PartitionState::crashed);
    CHECK(box.logged("p0: crashed; more than 10 restarts in 60 s: kept for a look until it is started by hand"));
    POINTERS_EQUAL(nullptr, request_start(first()));
    box.settle();
    shut_down(first(), SHUTDOWN_crash);
    box.settle();
    CHECK(box.state(0) == PartitionState::running);
}

TEST(Lifecycle, crashes_that_are_far_apart_may_go_on_for_ever)
{
    start();
    box.plan(0).on_crash = plan::Action::restart;
    for (unsigned i = 0; i < 3 * crash_restarts_at_most; ++i) {
        shut_down(first(), SHUTDOWN_crash);
        box.settle();
        CHECK(box.state(0) == PartitionState::running);
        fake::tsc += 6 * second;
    }
}

TEST(Lifecycle, reboots_are_not_counted_as_crashes)
{
    start();
    box.plan(0).on_reboot = plan::Action::restart;
    for (unsigned i = 0; i < 30; ++i) {
        shut_down(first(), SHUTDOWN_reboot);
        box.settle();
    }
    CHECK(box.state(0) == PartitionState::running);
}

TEST(Lifecycle, pause_and_resume)
{
    start();
    POINTERS_EQUAL(nullptr, request_pause(first()));
    box.settle();
    CHECK(box.state(0) == PartitionState::paused);
    POINTERS_EQUAL(nullptr, fake::cpus[0].current);
    CHECK(request_pause(first()) != nullptr);
    CHECK(request_start(first()) != nullptr);
    POINTERS_EQUAL(nullptr, request_resume(first()));
    box.settle();
    CHECK(box.state(0) == PartitionState::running);
    POINTERS_EQUAL(&first().vcpus[0], fake::cpus[0].current);
    CHECK(request_resume(first()) != nullptr);
}

TEST(Lifecycle, the_operator_stops_and_restarts)
{
    start();
    CHECK(request_start(first()) != nullptr);
    POINTERS_EQUAL(nullptr, request_stop(first()));
    box.settle();
    CHECK(box.state(0) == PartitionState::stopped);
    CHECK(request_stop(first()) != nullptr);
    CHECK(request_pause(first()) != nullptr);
    POINTERS_EQUAL(nullptr, request_restart(first()));
    box.settle();
    CHECK(box.state(0) == PartitionState::running);
    POINTERS_EQUAL(nullptr, request_restart(first()));
    box.settle();
    CHECK_EQUAL(3, first().generation);
    CHECK(box.logged("p0: restarted by the operator (life 3)"));
}

TEST(Lifecycle, a_paused_partition_can_be_restarted)
{
    start();
    (void)request_pause(first());
    box.settle();
    (void)request_restart(first());
    box.settle();
    CHECK(box.state(0) == PartitionState::running);
    CHECK_EQUAL(0, first().vcpus[0].hold.load());
    CHECK_EQUAL(hold_down, first().vcpus[1].hold.load());
}

TEST(Lifecycle, the_operators_word_during_the_clearing_decides)
{
    start();
    holders[&first()] = &box.partition(1);
    shut_down(first(), SHUTDOWN_poweroff);
    box.settle();
    POINTERS_EQUAL(nullptr, request_start(first()));
    holders.clear();
    box.pass(5 * ms);
    CHECK(box.state(0) == PartitionState::running);
    box.plan(0).on_reboot = plan::Action::restart;
    holders[&first()] = &box.partition(1);
    shut_down(first(), SHUTDOWN_reboot);
    box.settle();
    POINTERS_EQUAL(nullptr, request_stop(first()));
    holders.clear();
    box.pass(5 * ms);
    CHECK(box.state(0) == PartitionState::stopped);
}

TEST(Lifecycle, a_build_can_be_stopped)
{
    slices = 1'000'000;
    POINTERS_EQUAL(nullptr, request_start(first()));
    lifecycle_work();
    Vcpu* vcpu = pick_next();
    lifecycle_step(*vcpu);
    CHECK(box.state(0) == PartitionState::building);
    slices = 3;
    POINTERS_EQUAL(nullptr, request_stop(first()));
    box.settle();
    CHECK(box.state(0) == PartitionState::stopped);
    check_calls({"disconnect 1", "events 1", "grants 1", "memory 1"});
}

TEST(Lifecycle, requests_for_other_homes_are_left_to_them)
{
    start();
    (void)request_stop(box.partition(1));
    fake::current_cpu = 0;
    lifecycle_work();
    CHECK(box.state(1) == PartitionState::running);
    box.settle();
    CHECK(box.state(1) == PartitionState::stopped);
}

TEST(Lifecycle, every_state_has_a_name)
{
    for (unsigned state = 0; state <= static_cast<unsigned>(PartitionState::crashed); ++state)
        CHECK(std::strcmp("unknown", state_name(static_cast<PartitionState>(state))) != 0);
    STRCMP_EQUAL("unknown", state_name(static_cast<PartitionState>(200)));
}

TEST(Lifecycle, a_crash_says_why_at_once_and_the_registers_when_they_are_saved)
{
    start();
    box.plan(0).on_crash = plan::Action::preserve;
    Vcpu& vcpu = first().vcpus[0];
    vcpu.registers.rip = 0xffffffff81000042;
    crash_partition(vcpu, "it has no handler for %s", "a page fault");
    CHECK(box.logged("p0: crashed: it has no handler for a page fault"));
    CHECK_FALSE(box.logged("ffffffff81000042"));
    CHECK((vcpu.hold.load() & hold_stopped) != 0);
    box.settle();
    CHECK(box.logged("p0: vCPU 0: rip 0000:ffffffff81000042"));
    STRCMP_EQUAL("it has no handler for a page fault", first().reason);
}

TEST(Lifecycle, a_second_crash_in_one_life_only_holds_its_vCPU)
{
    start();
    bring_up_second();
    crash_partition(first().vcpus[0], "the first");
    first().vcpus[1].hold = 0;           // the first has not come to it yet
    crash_partition(first().vcpus[1], "the second");
    CHECK_EQUAL(hold_stopped, first().vcpus[1].hold.load());
    CHECK_FALSE(box.logged("the second"));
    box.settle();
    STRCMP_EQUAL("the first", first().health.last_reason.data());
    CHECK_EQUAL(1, first().health.crashes);
}

TEST(Lifecycle, a_long_reason_is_cut_off)
{
    start();
    const std::string text(500, 'x');
    crash_partition(first().vcpus[0], "%s", text.c_str());
    CHECK_EQUAL(first().health.last_reason.size() - 1, std::strlen(first().health.last_reason.data()));
}
