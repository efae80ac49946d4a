// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_sched_op and the old one: core/sched_op.cpp.
#include <CppUTest/TestHarness.h>

#include "tests/unit/schedule/box.hpp"

#include "core/sched_op.cpp"
#include "core/schedule.cpp"
#include "core/schedule_requests.cpp"
#include "core/schedule_start.cpp"
#include "core/vcpu_time.cpp"
#include "core/vcpu_timers.cpp"

namespace bulkhead {

namespace {
std::vector<uint32_t> shutdowns;
struct Watchdog {
    uint32_t id, timeout_s;
};
std::vector<Watchdog> watchdogs;
}  // namespace

bool is_port_pending(const Partition& partition, uint32_t port)
{
    return (partition.shared->evtchn_pending[port / 64] >> (port % 64) & 1) != 0;
}
void check_watchdogs(Nanoseconds) {}
void wake_home(Partition&) {}
void shut_down(Partition&, uint32_t reason) { shutdowns.push_back(reason); }
long set_watchdog(Partition&, uint32_t id, uint32_t timeout_s)
{
    watchdogs.push_back({id, timeout_s});
    return 42;
}

}  // namespace bulkhead

using namespace bulkhead;
using fake::ms;

namespace {

constexpr uint64_t request_address = 0x1000;
constexpr uint64_t ports_address = 0x2000;

}  // namespace

TEST_GROUP(SchedOp) {
    fake::Box box;
    Vcpu* vcpu = nullptr;
    void setup() override
    {
        shutdowns.clear();
        watchdogs.clear();
        box.make({{10, {0}}, {10, {0}}});
        vcpu = &box.vcpu(0);
        box.wake(*vcpu);
        box.decide();
    }
    long call(uint64_t command, uint64_t argument = request_address)
    {
        HypercallArguments arguments{};
        arguments.value[0] = command;
        arguments.value[1] = argument;
        return do_sched_op(*vcpu, arguments);
    }
    template <class Request>
    long call_with(uint64_t command, Request request)
    {
        fake::map_guest(request_address, request);
        const long result = call(command);
        fake::unmap_guest(GuestVirtual(request_address));
        return result;
    }
    long poll(std::vector<evtchn_port_t> ports, uint64_t timeout = 0)
    {
        sched_poll request{};
        request.ports.p = reinterpret_cast<evtchn_port_t*>(ports_address);
        request.nr_ports = static_cast<unsigned>(ports.size());
        request.timeout = timeout;
        fake::map_guest(GuestVirtual(ports_address), ports.data(), ports.size() * sizeof(evtchn_port_t));
        const long result = call_with(SCHEDOP_poll, request);
        fake::unmap_guest(GuestVirtual(ports_address));
        return result;
    }
    void set_port_pending(uint32_t port)
    {
        vcpu->partition->shared->evtchn_pending[port / 64] |= xen_ulong_t{1} << (port % 64);
    }
    bool is_held() const { return vcpu->hold.load() != 0; }
};

TEST(SchedOp, yield_alone_returns_and_goes_on)
{
    CHECK_EQUAL(0, call(SCHEDOP_yield, 0));
    POINTERS_EQUAL(vcpu, box.decide());
}

TEST(SchedOp, yield_with_an_equal_lets_it_run)
{
    box.wake(box.vcpu(1));
    box.decide();
    CHECK_EQUAL(0, call(SCHEDOP_yield, 0));
    POINTERS_EQUAL(&box.vcpu(1), box.decide());
}

TEST(SchedOp, block_unmasks_upcalls_and_holds)
{
    vcpu->info->evtchn_upcall_mask = 1;
    CHECK_EQUAL(0, call(SCHEDOP_block, 0));
    CHECK_EQUAL(0, vcpu->info->evtchn_upcall_mask);
    CHECK_EQUAL(hold_blocked, vcpu->hold.load());
    POINTERS_EQUAL(nullptr, box.decide());
}

TEST(SchedOp, block_with_an_event_pending_goes_on_even_if_it_was_masked)
{
    vcpu->info->evtchn_upcall_mask = 1;
    vcpu->info->evtchn_upcall_pending = 1;
    CHECK_EQUAL(0, call(SCHEDOP_block, 0));
    CHECK_FALSE(is_held());
    CHECK_EQUAL(0, vcpu->info->evtchn_upcall_mask);
}

TEST(SchedOp, block_with_an_NMI_pending_goes_on_unless_one_is_being_handled)
{
    vcpu->pv.nmi_pending = true;
    CHECK_EQUAL(0, call(SCHEDOP_block, 0));
    CHECK_FALSE(is_held());
    vcpu->pv.nmi_masked = true;
    CHECK_EQUAL(0, call(SCHEDOP_block, 0));
    CHECK(is_held());
}

TEST(SchedOp, shutdown_passes_every_reason_on)
{
    for (const unsigned reason : {0u, 1u, 3u, 4u, 99u})
        CHECK_EQUAL(0, call_with(SCHEDOP_shutdown, sched_shutdown{reason}));
    CHECK_EQUAL(5, shutdowns.size());
    CHECK_EQUAL(SHUTDOWN_reboot, shutdowns[1]);
    CHECK_EQUAL(99, shutdowns[4]);
}

TEST(SchedOp, suspend_is_answered_as_cancelled_and_counted)
{
    CHECK_EQUAL(1, call_with(SCHEDOP_shutdown, sched_shutdown{SHUTDOWN_suspend}));
    CHECK(shutdowns.empty());
    CHECK_EQUAL(1, vcpu->partition->health.suspends_refused);
    CHECK_FALSE(is_held());
}

TEST(SchedOp, a_shutdown_code_is_kept_for_later)
{
    CHECK_EQUAL(0, call_with(SCHEDOP_shutdown_code, sched_shutdown{SHUTDOWN_reboot}));
    CHECK_EQUAL(SHUTDOWN_reboot, vcpu->partition->lifecycle.latched_reason.load());
    CHECK(shutdowns.empty());
}

TEST(SchedOp, arguments_that_cannot_be_read_are_EFAULT)
{
    for (const int command : {SCHEDOP_shutdown, SCHEDOP_poll, SCHEDOP_remote_shutdown, SCHEDOP_shutdown_code,
                              SCHEDOP_watchdog})
        CHECK_EQUAL(-XEN_EFAULT, call(static_cast<uint64_t>(command)));
    CHECK(shutdowns.empty());
    CHECK(watchdogs.empty());
}

TEST(SchedOp, nobody_may_shut_down_others)
{
    CHECK_EQUAL(-XEN_EPERM, call_with(SCHEDOP_remote_shutdown, sched_remote_shutdown{2, SHUTDOWN_crash}));
    CHECK_EQUAL(-XEN_EPERM, call_with(SCHEDOP_remote_shutdown, sched_remote_shutdown{1, SHUTDOWN_crash}));
    CHECK_EQUAL(-XEN_ESRCH, call_with(SCHEDOP_remote_shutdown, sched_remote_shutdown{3, SHUTDOWN_crash}));
    CHECK_EQUAL(-XEN_ESRCH, call_with(SCHEDOP_remote_shutdown, sched_remote_shutdown{DOMID_SELF, SHUTDOWN_crash}));
    CHECK(shutdowns.empty());
}

TEST(SchedOp, a_watchdog_is_passed_on)
{
    CHECK_EQUAL(42, call_with(SCHEDOP_watchdog, sched_watchdog{1, 30}));
    CHECK_EQUAL(1, watchdogs[0].id);
    CHECK_EQUAL(30, watchdogs[0].timeout_s);
}

TEST(SchedOp, pinning_is_the_plans)
{
    CHECK_EQUAL(-XEN_EPERM, call_with(SCHEDOP_pin_override, sched_pin_override{0}));
}

TEST(SchedOp, other_commands_are_ENOSYS)
{
    CHECK_EQUAL(-XEN_ENOSYS, call(8));
    CHECK_EQUAL(-XEN_ENOSYS, call(0xffffffff));
}

TEST(SchedOp, only_the_low_half_of_the_command_counts)
{
    CHECK_EQUAL(0, call((uint64_t{1} << 32) | SCHEDOP_block, 0));
    CHECK(is_held());
}

TEST(SchedOp, poll_holds_until_its_one_port_or_any_of_several)
{
    CHECK_EQUAL(0, poll({5}));
    CHECK_EQUAL(hold_polling, vcpu->hold.load());
    CHECK_EQUAL(5, vcpu->poll_port.load());
    box.wake(*vcpu);
    CHECK_EQUAL(0, poll({5, 6}));
    CHECK_EQUAL(poll_several, vcpu->poll_port.load());
    CHECK(vcpu->time.poll_deadline == never);
}

TEST(SchedOp, poll_leaves_the_upcall_mask_alone)
{
    vcpu->info->evtchn_upcall_mask = 1;
    vcpu->info->evtchn_upcall_pending = 1;
    CHECK_EQUAL(0, poll({5}));
    CHECK_EQUAL(1, vcpu->info->evtchn_upcall_mask);
    CHECK(is_held());
}

TEST(SchedOp, poll_of_a_pending_port_goes_on)
{
    set_port_pending(4095);
    CHECK_EQUAL(0, poll({5, 4095}));
    CHECK_FALSE(is_held());
}

TEST(SchedOp, poll_with_an_upcall_waiting_goes_on)
{
    vcpu->info->evtchn_upcall_pending = 1;
    CHECK_EQUAL(0, poll({5}));
    CHECK_FALSE(is_held());
}

TEST(SchedOp, poll_ends_by_its_timeout)
{
    CHECK_EQUAL(0, poll({5}, fake::tsc + 2 * ms));
    box.run_for(1 * ms);
    CHECK(is_held());
    box.run_for(1 * ms);
    CHECK_FALSE(is_held());
    CHECK(fake::virqs.empty());
}

TEST(SchedOp, poll_with_a_timeout_that_has_passed_ends_at_once)
{
    CHECK_EQUAL(0, poll({}, fake::tsc - 1));
    POINTERS_EQUAL(vcpu, box.decide());
}

TEST(SchedOp, poll_of_nothing_waits_for_an_event)
{
    CHECK_EQUAL(0, poll({}));
    CHECK(is_held());
    CHECK_EQUAL(poll_several, vcpu->poll_port.load());
}

TEST(SchedOp, poll_takes_128_ports_and_no_more)
{
    CHECK_EQUAL(-XEN_EINVAL, poll(std::vector<evtchn_port_t>(129, 1)));
    CHECK_FALSE(is_held());
    std::vector<evtchn_port_t> ports(128, 1);
    ports[127] = 77;
    set_port_pending(77);
    CHECK_EQUAL(0, poll(ports));
    CHECK_FALSE(is_held());
}

TEST(SchedOp, poll_of_a_port_out_of_range_is_EINVAL)
{
    CHECK_EQUAL(-XEN_EINVAL, poll({4096}));
    CHECK_EQUAL(-XEN_EINVAL, poll({1, ~0u}));
    CHECK_FALSE(is_held());
    CHECK(fake::polls_started.empty());
}

TEST(SchedOp, poll_of_ports_that_cannot_be_read_is_EFAULT)
{
    sched_poll request{};
    request.ports.p = reinterpret_cast<evtchn_port_t*>(ports_address);
    request.nr_ports = 1;
    CHECK_EQUAL(-XEN_EFAULT, call_with(SCHEDOP_poll, request));
    CHECK_FALSE(is_held());
}

TEST(SchedOp, a_second_poll_forgets_the_timeout_of_the_first)
{
    CHECK_EQUAL(0, poll({5}, fake::tsc + 2 * ms));
    box.wake(*vcpu);
    box.decide();
    CHECK_EQUAL(0, poll({5}));
    box.run_for(10 * ms);
    CHECK(is_held());
}

TEST(SchedOp, the_old_form_yields_blocks_and_shuts_down)
{
    HypercallArguments arguments{};
    arguments.value = {SCHEDOP_yield};
    CHECK_EQUAL(0, do_sched_op_compat(*vcpu, arguments));
    arguments.value = {SCHEDOP_block};
    CHECK_EQUAL(0, do_sched_op_compat(*vcpu, arguments));
    CHECK(is_held());
    arguments.value = {SCHEDOP_shutdown, SHUTDOWN_reboot};
    CHECK_EQUAL(0, do_sched_op_compat(*vcpu, arguments));
    CHECK_EQUAL(SHUTDOWN_reboot, shutdowns.at(0));
    arguments.value = {SCHEDOP_poll};
    CHECK_EQUAL(-XEN_ENOSYS, do_sched_op_compat(*vcpu, arguments));
}

// Events come at the two moments at which they could be lost.
TEST_GROUP(SchedOpRaces) {
    fake::Box box;
    Vcpu* vcpu = nullptr;
    void setup() override
    {
        box.make({{10, {0}}});
        vcpu = &box.vcpu(0);
        box.wake(*vcpu);
        box.decide();
    }
};

TEST(SchedOpRaces, an_event_between_the_look_and_the_hold_ends_the_poll)
{
    sched_poll request{};
    evtchn_port_t port = 5;
    request.ports.p = reinterpret_cast<evtchn_port_t*>(ports_address);
    request.nr_ports = 1;
    fake::map_guest(request_address, request);
    fake::map_guest(ports_address, port);
    fake::on_start_polling = [&] { vcpu->partition->shared->evtchn_pending[0] |= 1u << 5; };
    HypercallArguments arguments{};
    arguments.value = {SCHEDOP_poll, request_address};
    CHECK_EQUAL(0, do_sched_op(*vcpu, arguments));
    fake::on_start_polling = nullptr;
    CHECK_EQUAL(0, vcpu->hold.load());
    CHECK_EQUAL(1, fake::polls_stopped.size());
}
