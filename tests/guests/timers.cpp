// SPDX-License-Identifier: BSD-2-Clause
// Claim: system time goes on, a deadline raises the timer's virtual interrupt once and not before
// its time, a blocked vCPU wakes for it, and a poll ends at its deadline.
#include "framework/events.hpp"

namespace {

constexpr long EINVAL = 22, ETIME = 62;
constexpr uint64_t ms = 1000000;

uint32_t port;

long set_timer(uint64_t deadline) { return hypercall<__HYPERVISOR_set_timer_op>(deadline); }
long vcpu_op(unsigned command, void* argument)
{
    return hypercall<__HYPERVISOR_vcpu_op>(command, 0, as_argument(argument));
}
void block() { CHECK_EQUAL(0, hypercall<__HYPERVISOR_sched_op>(SCHEDOP_block, 0)); }

// Sleeps until the timer has come.
uint64_t wait_for_timer()
{
    while (!take_pending(port)) {
        mask_events();
        if (!is_pending(port))
            block();             // unmasks
        else
            unmask_events();
    }
    return system_time();
}

void time_goes_on()
{
    uint64_t last = system_time();
    for (unsigned i = 0; i < 1000; ++i) {
        const uint64_t now = system_time();
        if (now < last)
            fail("time went back from %lu to %lu", last, now);
        last = now;
    }
    CHECK(shared_info->wc_sec > 1600000000);
    CHECK((own_info().time.version & 1) == 0);
}

void a_deadline_comes_once()
{
    const uint64_t start = system_time();
    CHECK_EQUAL(0, set_timer(start + 5 * ms));
    CHECK(!is_pending(port));
    const uint64_t end = wait_for_timer();
    CHECK(end >= start + 5 * ms);
    CHECK(end < start + 50 * ms);
    const uint64_t again = system_time() + 5 * ms;
    while (system_time() < again)
        CHECK(!is_pending(port));
}

void a_deadline_can_be_replaced_and_stopped()
{
    const uint64_t start = system_time();
    CHECK_EQUAL(0, set_timer(start + 1000 * ms));
    CHECK_EQUAL(0, set_timer(start + 3 * ms));
    CHECK(wait_for_timer() < start + 100 * ms);
    CHECK_EQUAL(0, set_timer(system_time() + 2 * ms));
    CHECK_EQUAL(0, set_timer(0));
    const uint64_t end = system_time() + 5 * ms;
    while (system_time() < end)
        CHECK(!is_pending(port));
}

void a_deadline_that_has_passed_comes_at_once()
{
    const uint64_t start = system_time();
    CHECK_EQUAL(0, set_timer(start - ms));
    CHECK(wait_for_timer() < start + 20 * ms);
}

void timers_of_the_vcpu()
{
    const uint64_t start = system_time();
    vcpu_set_singleshot_timer_t single = {start + 4 * ms, 0};
    CHECK_EQUAL(0, vcpu_op(VCPUOP_set_singleshot_timer, &single));
    CHECK(wait_for_timer() >= start + 4 * ms);
    // The flag may be ignored, as Xen 4.17 does: then it comes at once.
    single = {system_time() - ms, VCPU_SSHOTTMR_future};
    const long result = vcpu_op(VCPUOP_set_singleshot_timer, &single);
    CHECK(result == -ETIME || result == 0);
    if (result == 0)
        (void)wait_for_timer();
    single = {system_time() + 2 * ms, 0};
    CHECK_EQUAL(0, vcpu_op(VCPUOP_set_singleshot_timer, &single));
    CHECK_EQUAL(0, vcpu_op(VCPUOP_stop_singleshot_timer, nullptr));

    vcpu_set_periodic_timer_t periodic = {100000};
    CHECK_EQUAL(-EINVAL, vcpu_op(VCPUOP_set_periodic_timer, &periodic));     // less than a millisecond
    periodic = {3 * ms};
    const uint64_t first = system_time();
    CHECK_EQUAL(0, vcpu_op(VCPUOP_set_periodic_timer, &periodic));
    // Awake: Xen's periodic timer does not wake a vCPU that blocks.
    for (unsigned i = 0; i < 5; ++i) {
        while (!take_pending(port)) {
        }
    }
    const uint64_t passed = system_time() - first;
    CHECK(passed >= 12 * ms && passed < 60 * ms);
    CHECK_EQUAL(0, vcpu_op(VCPUOP_stop_periodic_timer, nullptr));
    (void)take_pending(port);
}

void a_poll_ends_at_its_deadline()
{
    const uint32_t quiet = bind_ipi(0);
    mask_events();
    sched_poll_t poll = {};
    evtchn_port_t ports[1] = {quiet};
    set_xen_guest_handle_raw(poll.ports, ports);
    poll.nr_ports = 1;
    const uint64_t start = system_time();
    poll.timeout = start + 3 * ms;
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_sched_op>(SCHEDOP_poll, as_argument(&poll)));
    CHECK(system_time() >= start + 3 * ms);
    CHECK_EQUAL(0, send(quiet));
    poll.timeout = 0;
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_sched_op>(SCHEDOP_poll, as_argument(&poll)));      // at once
    poll.nr_ports = 200;
    CHECK_EQUAL(-EINVAL, hypercall<__HYPERVISOR_sched_op>(SCHEDOP_poll, as_argument(&poll)));
    (void)take_pending(quiet);
    unmask_events();
    CHECK_EQUAL(0, close(quiet));
}

void the_vcpus_states_are_accounted()
{
    static vcpu_runstate_info_t info;
    vcpu_register_runstate_memory_area_t area = {};
    area.addr.v = &info;
    CHECK_EQUAL(0, vcpu_op(VCPUOP_register_runstate_memory_area, &area));
    CHECK_EQUAL(RUNSTATE_running, info.state);
    const uint64_t blocked = info.time[RUNSTATE_blocked];
    CHECK_EQUAL(0, set_timer(system_time() + 5 * ms));
    (void)wait_for_timer();
    CHECK_EQUAL(RUNSTATE_running, info.state);
    CHECK(info.time[RUNSTATE_blocked] >= blocked + 4 * ms);
    area.addr.v = nullptr;
    (void)vcpu_op(VCPUOP_register_runstate_memory_area, &area);
}

}  // namespace

GUEST_TEST(timers)
{
    install_traps();
    listen_to_events();
    port = bind_virq(VIRQ_TIMER, 0);
    (void)vcpu_op(VCPUOP_stop_periodic_timer, nullptr);
    time_goes_on();
    a_deadline_comes_once();
    a_deadline_can_be_replaced_and_stopped();
    a_deadline_that_has_passed_comes_at_once();
    timers_of_the_vcpu();
    a_poll_ends_at_its_deadline();
    the_vcpus_states_are_accounted();
}
