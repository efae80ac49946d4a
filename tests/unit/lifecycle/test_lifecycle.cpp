// SPDX-License-Identifier: BSD-2-Clause
// Lives of partitions: requests, policy, the way from one life to the next, watchdogs and crashes.
#include <CppUTest/TestHarness.h>

#include "tests/unit/schedule/box.hpp"

#include "core/console/source.hpp"
#include "core/lifecycle.cpp"
#include "core/lifecycle_step.cpp"
#include "core/machine_service.cpp"
#include "core/partition_fault.cpp"
#include "core/pv/vcpu_reset.cpp"
#include "core/schedule.cpp"
#include "core/schedule_requests.cpp"
#include "core/schedule_start.cpp"
#include "core/services.cpp"
#include "core/vcpu_time.cpp"
#include "core/vcpu_timers.cpp"
#include "core/slot_health.hpp"
#include "core/watchdog.cpp"

#include <string>

namespace bulkhead {

namespace {

// What the parts that are cleared and built were asked for, in order: "events 1" is partition 1.
std::vector<std::string> calls;
unsigned slices;                         // that each stage needs
std::map<std::string, unsigned> done_slices;
std::map<const Partition*, Partition*> holders;
bool build_fails;
std::string partition_log;
StartGrants given_grants;

bool slice(const char* what, const Partition& partition)
{
    const std::string name = std::string(what) + " " + std::to_string(partition.id.raw());
    if (++done_slices[name] < slices)
        return false;
    done_slices[name] = 0;
    calls.push_back(name);
    return true;
}

}  // namespace

Nanoseconds check_slot_health(Nanoseconds) { return never; }

bool reset_events(Partition& partition) { return slice("events", partition); }
bool reset_grants(Partition& partition)
{
    if (!slice("grants", partition))
        return false;
    std::erase_if(holders, [&](const auto& held) { return held.second == &partition; });
    return true;
}
Partition* first_foreign_holder(const Partition& partition)
{
    const auto found = holders.find(&partition);
    return found != holders.end() ? found->second : nullptr;
}
BuildStep reset_memory(Partition& partition)
{
    return slice("memory", partition) ? BuildStep::done : BuildStep::more;
}
BuildStep build_slice(Partition& partition)
{
    if (build_fails) {
        partition.memory.build.failure = "the kernel's payload is damaged";
        return BuildStep::failed;
    }
    return slice("build", partition) ? BuildStep::done : BuildStep::more;
}
void init_grants(Partition&, const StartGrants& grants) { given_grants = grants; }
void init_shared_frame(Mfn, DomainId, SharedAccess access) { CHECK(access == SharedAccess::read_only); }
void open_static_port(Partition& partition, Port port, Partition& peer, Port peer_port)
{
    calls.push_back("port " + std::to_string(partition.id.raw()) + "." + std::to_string(port.raw()) + " to " +
                    std::to_string(peer.id.raw()) + "." + std::to_string(peer_port.raw()));
}
void connect_console(Partition& partition, Mfn) { calls.push_back("connect " + std::to_string(partition.id.raw())); }
void disconnect_console(Partition& partition)
{
    calls.push_back("disconnect " + std::to_string(partition.id.raw()));
}
Mfn initial_frame(const PvMemory&, Pfn pfn) { return Mfn(0x1000 + pfn.raw()); }
void console_append(ConsoleSource&, std::string_view text) { partition_log += text; }

}  // namespace bulkhead

using namespace bulkhead;
using fake::ms;

namespace {

constexpr uint64_t second = 1000 * ms;

// A box whose CPUs do their loops, the core's work included, as core/run.cpp does.
class LivingBox : public fake::Box {
public:
    void make_stopped(const std::vector<fake::Planned>& planned)
    {
        make(planned);
        fpu_areas_.resize(64);
        size_t next = 0;
        for (Partition& partition : fake::partitions) {
            partition.state = PartitionState::stopped;
            partition.console.source = &source_;
            plan::Partition& plan = this->plan(partition.id.raw() - 1u);
            plan.flags = plan::autostart;
            plan.pv.console_pfn = 7;
            plan.pv.store_pfn = plan::no_pfn;
            for (Vcpu& vcpu : partition.vcpus)
                vcpu.fpu_area = &fpu_areas_[next++];
        }
    }
    void start()
    {
        start_partitions();
        settle();
    }
    // All CPUs, until nothing is left to do at this time.
    void settle()
    {
        const size_t here = fake::current_cpu;
        for (unsigned quiet = 0; quiet < 3; ++quiet) {
            for (size_t cpu = 0; cpu < fake::cpus_in_use; ++cpu) {
                fake::current_cpu = cpu;
                if (loop())
                    quiet = 0;
            }
        }
        fake::current_cpu = here;
    }
    // Time passes in steps, with all CPUs looking at their timers.
    void pass(uint64_t ns, uint64_t step = ms)
    {
        for (const uint64_t end = fake::tsc + ns; fake::tsc < end;) {
            fake::tsc += step;
            for (size_t cpu = 0; cpu < fake::cpus_in_use; ++cpu) {
                if (fake::cpus[cpu].schedule.timer.raw() <= fake::tsc)
                    fake::cpus[cpu].work.fetch_or(work_timer);
            }
            settle();
        }
    }
    PartitionState state(size_t index) { return partition(index).state.load(); }
    bool logged(const char* text)
    {
        for (const std::string& line : fake::log_lines) {
            if (line.find(text) != std::string::npos)
                return true;
        }
        return false;
    }

private:
    // True if something was done.
    bool loop()
    {
        Cpu& cpu = this_cpu();
        bool busy = false;
        for (unsigned turns = 0; turns < 10'000; ++turns) {
            const uint32_t work = cpu.work.exchange(0);
            busy = busy || work != 0;
            if ((work & work_timer) != 0)
                run_timers();
            if ((work & work_lifecycle) != 0)
                lifecycle_work();
            Vcpu* next = pick_next();
            leave(cpu, next);
            if (next != nullptr && next->schedule.core_work) {
                busy = true;
                CHECK_EQUAL(0, next->partition->memory.running_on.load());
                lifecycle_step(*next);
                continue;
            }
            if (next != nullptr && next != cpu.current)
                enter(cpu, *next);
            if (cpu.work.load() == 0)
                return busy;
        }
        FAIL("the CPU does not come to an end");
        return busy;
    }
    void unload(Cpu& cpu)
    {
        cpu.loaded->partition->memory.running_on.fetch_and(~(uint64_t{1} << cpu.number.raw()));
        cpu.loaded = nullptr;
    }
    // A vCPU stays loaded until another is, or its life ends.
    void leave(Cpu& cpu, Vcpu* next)
    {
        if (next != cpu.current && cpu.current != nullptr) {
            Vcpu* former = cpu.current;
            cpu.current = nullptr;
            runstate_switch_out(*former, former->hold.load());
        }
        Vcpu* loaded = cpu.loaded;
        if (loaded == nullptr || loaded == cpu.current || (loaded->hold.load() & hold_stopped) == 0)
            return;
        unload(cpu);
        wake_home(*loaded->partition);
    }
    void enter(Cpu& cpu, Vcpu& next)
    {
        if (cpu.loaded != &next) {
            if (cpu.loaded != nullptr)
                unload(cpu);
            next.partition->memory.running_on.fetch_or(uint64_t{1} << cpu.number.raw());
            cpu.loaded = &next;
        }
        cpu.current = &next;
        runstate_switch_in(next);
    }

    struct alignas(64) FpuArea {
        unsigned char bytes[832];
    };
    std::vector<FpuArea> fpu_areas_;
    ConsoleSource source_;
};

}  // namespace

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

// --- Watchdogs -----------------------------------------------------------------------------------

TEST_GROUP(Watchdog) {
    LivingBox box;
    void setup() override
    {
        calls.clear();
        slices = 1;
        done_slices.clear();
        holders.clear();
        build_fails = false;
        box.make_stopped({{10, {0, 1}}, {20, {0}}});
        box.plan(0).on_watchdog = plan::Action::restart;
        box.plan(1).flags = 0;
        box.start();
    }
    Partition& first() { return box.partition(0); }
};

TEST(Watchdog, two_can_be_created)
{
    CHECK_EQUAL(1, set_watchdog(first(), 0, 10));
    CHECK_EQUAL(2, set_watchdog(first(), 0, 10));
    CHECK_EQUAL(-XEN_ENOSPC, set_watchdog(first(), 0, 10));
}

TEST(Watchdog, ids_and_times_that_are_none_are_EINVAL)
{
    CHECK_EQUAL(-XEN_EINVAL, set_watchdog(first(), 3, 10));
    CHECK_EQUAL(-XEN_EINVAL, set_watchdog(first(), ~0u, 10));
    CHECK_EQUAL(-XEN_EINVAL, set_watchdog(first(), 1, 10));
    CHECK_EQUAL(-XEN_EINVAL, set_watchdog(first(), 1, 0));
    CHECK_EQUAL(-XEN_EINVAL, set_watchdog(first(), 0, 0));
}

TEST(Watchdog, one_that_is_not_fed_restarts_the_partition)
{
    CHECK_EQUAL(1, set_watchdog(first(), 0, 5));
    box.pass(5 * second - ms, second / 4);
    box.pass(2 * second, second / 4);
    CHECK_EQUAL(2, first().generation);
    CHECK_EQUAL(1, first().health.watchdog_fires);
    CHECK(box.logged("p0: did not feed its watchdog in time; restarting as on_watchdog says (life 2)"));
    CHECK(box.state(0) == PartitionState::running);
}

TEST(Watchdog, one_that_is_fed_is_silent)
{
    CHECK_EQUAL(1, set_watchdog(first(), 0, 5));
    for (int i = 0; i < 10; ++i) {
        box.pass(4 * second, second);
        CHECK_EQUAL(0, set_watchdog(first(), 1, 5));
    }
    CHECK_EQUAL(1, first().generation);
}

TEST(Watchdog, one_that_was_removed_is_silent_and_can_be_made_again)
{
    CHECK_EQUAL(1, set_watchdog(first(), 0, 5));
    CHECK_EQUAL(0, set_watchdog(first(), 1, 0));
    box.pass(20 * second, second);
    CHECK_EQUAL(1, first().generation);
    CHECK_EQUAL(1, set_watchdog(first(), 0, 5));
}

TEST(Watchdog, the_earlier_of_two_counts)
{
    CHECK_EQUAL(1, set_watchdog(first(), 0, 100));
    CHECK_EQUAL(2, set_watchdog(first(), 0, 2));
    box.pass(3 * second, second / 2);
    CHECK_EQUAL(2, first().generation);
}

TEST(Watchdog, it_fires_while_another_vCPU_has_the_CPU)
{
    CHECK_EQUAL(1, set_watchdog(first(), 0, 2));
    (void)request_start(box.partition(1));
    box.settle();
    POINTERS_EQUAL(&box.partition(1).vcpus[0], fake::cpus[0].current);
    box.pass(3 * second, second / 2);
    CHECK_EQUAL(1, first().health.watchdog_fires);
}

TEST(Watchdog, the_longest_time_does_not_overflow)
{
    CHECK_EQUAL(1, set_watchdog(first(), 0, ~0u));
    box.pass(2 * second, second);
    CHECK_EQUAL(1, first().generation);
}

TEST(Watchdog, a_pause_does_not_count)
{
    CHECK_EQUAL(1, set_watchdog(first(), 0, 5));
    box.pass(3 * second, second);
    (void)request_pause(first());
    box.settle();
    box.pass(20 * second, second);
    CHECK(box.state(0) == PartitionState::paused);
    (void)request_resume(first());
    box.settle();
    box.pass(1 * second, second);
    CHECK_EQUAL(1, first().generation);
    box.pass(2 * second, second / 2);
    CHECK_EQUAL(2, first().generation);
}

TEST(Watchdog, feeding_from_another_CPU_interrupts_the_home_only_when_it_must_look_earlier)
{
    fake::current_cpu = 1;
    fake::pokes.clear();
    CHECK_EQUAL(1, set_watchdog(first(), 0, 10));
    CHECK_EQUAL(1, fake::pokes.size());
    fake::tsc += second;
    for (int i = 0; i < 100; ++i) {
        CHECK_EQUAL(0, set_watchdog(first(), 1, 10));
        CHECK_EQUAL(0, set_watchdog(first(), 1, 0));
        CHECK_EQUAL(1, set_watchdog(first(), 0, 10));
    }
    CHECK_EQUAL(1, fake::pokes.size());
    CHECK_EQUAL(0, set_watchdog(first(), 1, 1));
    CHECK_EQUAL(2, fake::pokes.size());
}

// --- Services ----------------------------------------------------------------------------------------

// p2 is the store of p0; p1 has none.
TEST_GROUP(Services) {
    static constexpr uint16_t store_id = plan::first_service_domain;
    LivingBox box;
    void setup() override
    {
        calls.clear();
        slices = 1;
        done_slices.clear();
        holders.clear();
        build_fails = false;
        fake::cpus_in_use = 3;
        box.make_stopped({{12, {0}}, {10, {1}}, {20, {2}}});
        plan::Partition& client = box.plan(0);
        client.store_domain = store_id;
        client.store_port = 2;
        client.store_remote_port = 8;
        client.services = 1;
        client.pv.store_pfn = 9;
        plan::Partition& plan = box.plan(2);
        plan.type = plan::PartitionType::service;
        plan.domain = store_id;
        plan.on_crash = plan::Action::restart;
        box.partition(2).id = DomainId(store_id);
        box.partition(2).memory.region_kept = true;
        init_services();
        fake::virqs_wake = false;
    }
    Partition& store() { return box.partition(2); }
    bulkhead_client client(size_t index)
    {
        return std::bit_cast<bulkhead_client>(store().service.clients[index].load());
    }
    void crash_store()
    {
        shut_down(store(), SHUTDOWN_crash);
        box.settle();
        CHECK(box.state(2) == PartitionState::running);
    }
    bool called(const char* what) { return std::find(calls.begin(), calls.end(), what) != calls.end(); }
};

TEST(Services, the_client_page_tells_of_every_partition_in_the_plans_order)
{
    LONGS_EQUAL(1, client(0).domain);
    LONGS_EQUAL(2, client(1).domain);
    LONGS_EQUAL(store_id, client(2).domain);
    LONGS_EQUAL(BULKHEAD_CLIENT_stopped, client(0).state);
    LONGS_EQUAL(BULKHEAD_REASON_none, client(0).reason);
    box.start();
    LONGS_EQUAL(BULKHEAD_CLIENT_running, client(0).state);
    LONGS_EQUAL(1, client(0).generation);
    LONGS_EQUAL(BULKHEAD_REASON_none, client(0).reason);
    POINTERS_EQUAL(nullptr, box.partition(0).service.clients);
}

TEST(Services, each_change_is_told_to_services_alone)
{
    box.start();
    fake::virqs.clear();
    POINTERS_EQUAL(nullptr, request_pause(box.partition(1)));
    box.settle();
    LONGS_EQUAL(1, fake::virqs.size());
    POINTERS_EQUAL(&store().vcpus[0], fake::virqs[0].vcpu);
    LONGS_EQUAL(VIRQ_DOM_EXC, fake::virqs[0].virq);
    LONGS_EQUAL(BULKHEAD_CLIENT_paused, client(1).state);
}

TEST(Services, the_page_says_why_a_life_ended)
{
    box.start();
    box.plan(0).on_poweroff = plan::Action::destroy;
    shut_down(box.partition(0), SHUTDOWN_poweroff);
    box.settle();
    LONGS_EQUAL(BULKHEAD_CLIENT_stopped, client(0).state);
    LONGS_EQUAL(SHUTDOWN_poweroff, client(0).reason);
    POINTERS_EQUAL(nullptr, request_stop(box.partition(1)));
    box.settle();
    LONGS_EQUAL(BULKHEAD_REASON_operator, client(1).reason);
}

TEST(Services, a_clients_life_begins_with_its_store_granted_and_connected)
{
    box.start();
    calls.clear();
    POINTERS_EQUAL(nullptr, request_restart(box.partition(0)));
    box.settle();
    CHECK(given_grants.store == Mfn(0x1009));
    CHECK(given_grants.store_domain == DomainId(store_id));
    CHECK(called("port 1.2 to 28672.8"));
    calls.clear();
    POINTERS_EQUAL(nullptr, request_restart(box.partition(1)));
    box.settle();
    CHECK(given_grants.store == invalid_mfn);
    CHECK_FALSE(called("port 1.2 to 28672.8"));
}

TEST(Services, a_restarted_service_gets_its_ends_back_and_its_clients_go_on)
{
    box.start();
    calls.clear();
    crash_store();
    CHECK(called("port 28672.8 to 1.2"));
    LONGS_EQUAL(2, store().generation);
    LONGS_EQUAL(1, box.partition(0).generation);
    CHECK(store().memory.region_kept);
    LONGS_EQUAL(2, client(2).generation);
}

TEST(Services, crashes_restart_the_clients_of_the_service_at_fault_alone)
{
    // p1 has cards on the networks of a switch; nobody but p0 has the store.
    box.plan(1).services = 2;
    box.start();
    crash_store();
    crash_store();
    crash_store();
    LONGS_EQUAL(2, box.partition(0).generation);
    LONGS_EQUAL(1, box.partition(1).generation);
    box.plan(1).services = 3;
    crash_store();
    crash_store();
    crash_store();
    LONGS_EQUAL(3, box.partition(0).generation);
    LONGS_EQUAL(2, box.partition(1).generation);
}

TEST(Services, three_crashes_in_ten_seconds_give_up_the_region_and_restart_the_clients)
{
    box.start();
    crash_store();
    box.pass(4 * second, second);
    crash_store();
    box.pass(4 * second, second);
    CHECK(store().memory.region_kept);
    crash_store();
    CHECK_FALSE(store().memory.region_kept);      // the build, faked here, would keep the next one
    LONGS_EQUAL(2, box.partition(0).generation);
    LONGS_EQUAL(1, box.partition(1).generation);
    CHECK(box.state(0) == PartitionState::running);
    CHECK(box.logged("p0: restarted with its service (life 2)"));
    store().memory.region_kept = true;
    crash_store();                                 // the count begins anew
    CHECK(store().memory.region_kept);
    LONGS_EQUAL(2, box.partition(0).generation);
}

TEST(Services, crashes_further_apart_or_by_the_operator_cost_no_region)
{
    box.start();
    for (unsigned i = 0; i < 5; ++i) {
        crash_store();
        box.pass(6 * second, second);
    }
    for (unsigned i = 0; i < 5; ++i) {
        POINTERS_EQUAL(nullptr, request_restart(store()));
        box.settle();
    }
    CHECK(store().memory.region_kept);
    LONGS_EQUAL(1, box.partition(0).generation);
}

TEST(Services, a_client_that_is_down_stays_down_when_its_service_starts_afresh)
{
    box.start();
    POINTERS_EQUAL(nullptr, request_stop(box.partition(0)));
    box.settle();
    request_renewal(box.partition(0));
    box.settle();
    CHECK(box.state(0) == PartitionState::stopped);
}

TEST(Services, a_store_that_was_left_out_is_none)
{
    store().vcpus = {};
    store().service.clients = nullptr;
    POINTERS_EQUAL(nullptr, store_of(box.partition(0)));
    box.partition(2).state = PartitionState::left_out;
    POINTERS_EQUAL(nullptr, request_start(box.partition(0)));
    box.settle();
    CHECK(given_grants.store == invalid_mfn);
    CHECK_FALSE(called("port 1.2 to 28672.8"));
}

TEST(Services, a_kill_is_a_crash)
{
    box.start();
    POINTERS_EQUAL(nullptr, request_kill(store()));
    STRCMP_EQUAL("it is ending already", request_kill(store()));
    box.settle();
    CHECK(box.state(2) == PartitionState::running);
    LONGS_EQUAL(1, store().health.crashes);
    STRCMP_EQUAL("killed by the operator", store().health.last_reason.data());
    POINTERS_EQUAL(nullptr, request_stop(box.partition(1)));
    box.settle();
    STRCMP_EQUAL("it is not running", request_kill(box.partition(1)));
}
