// SPDX-License-Identifier: BSD-2-Clause
// Every sub-operation of HYPERVISOR_event_channel_op: what it does, and what it refuses.
#include "event_fixture.hpp"

using namespace bulkhead;

TEST_GROUP_BASE(EventChannelOp, EventFixture){};

// --- Opening ----------------------------------------------------------------------------------------------

TEST(EventChannelOp, the_lowest_free_port_is_taken_and_never_port_0)
{
    LONGS_EQUAL(1, unbound_for(2));
    LONGS_EQUAL(2, unbound_for(2));
    LONGS_EQUAL(3, ipi(0));
    LONGS_EQUAL(0, close(2));
    LONGS_EQUAL(2, virq(VIRQ_TIMER, 0));
    LONGS_EQUAL(4, ipi(1));
    check_invariants();
}

TEST(EventChannelOp, all_4095_ports_can_be_open_and_then_there_is_no_space)
{
    for (uint32_t port = 1; port < event_ports; ++port)
        LONGS_EQUAL(port, unbound_for(2));
    evtchn_alloc_unbound unbound{DOMID_SELF, 2, 0};
    LONGS_EQUAL(negative(XEN_ENOSPC), call(EVTCHNOP_alloc_unbound, unbound));
    evtchn_bind_ipi one{0, 0};
    LONGS_EQUAL(negative(XEN_ENOSPC), call(EVTCHNOP_bind_ipi, one));
    evtchn_bind_virq timer{VIRQ_TIMER, 0, 0};
    LONGS_EQUAL(negative(XEN_ENOSPC), call(EVTCHNOP_bind_virq, timer));
    LONGS_EQUAL(0, world->vcpu(0).virq_port[VIRQ_TIMER]);
    evtchn_bind_interdomain interdomain{2, 1, 0};
    LONGS_EQUAL(negative(XEN_ENOSPC), call(EVTCHNOP_bind_interdomain, interdomain));
    LONGS_EQUAL(0, close(4095));
    LONGS_EQUAL(4095, unbound_for(2));
    check_invariants();
}

TEST(EventChannelOp, an_unbound_port_can_be_made_for_oneself_only)
{
    evtchn_alloc_unbound request{1, 2, 0};
    LONGS_EQUAL(0, call(EVTCHNOP_alloc_unbound, request));
    request.dom = 2;
    LONGS_EQUAL(negative(XEN_EPERM), call(EVTCHNOP_alloc_unbound, request));
    request.dom = 0;
    LONGS_EQUAL(negative(XEN_EPERM), call(EVTCHNOP_alloc_unbound, request));
    request.dom = 77;
    LONGS_EQUAL(negative(XEN_ESRCH), call(EVTCHNOP_alloc_unbound, request));
    request.dom = DOMID_IDLE;
    LONGS_EQUAL(negative(XEN_ESRCH), call(EVTCHNOP_alloc_unbound, request));
}

TEST(EventChannelOp, an_unbound_port_may_be_for_a_domain_that_is_not_there)
{
    const uint32_t port = unbound_for(77);
    LONGS_EQUAL(77, status(port).u.unbound.dom);
    LONGS_EQUAL(EVTCHNSTAT_unbound, status(port).status);
}

TEST(EventChannelOp, binding_connects_both_ends_and_tells_the_binder_of_what_it_may_have_missed)
{
    const uint32_t port = unbound_for(2);
    be(1);
    const uint32_t local = bind_to(1, port);
    CHECK(is_pending(1, local));
    CHECK(is_told(1, 0, local));
    LONGS_EQUAL(EVTCHNSTAT_interdomain, status(local).status);
    LONGS_EQUAL(1, status(local).u.interdomain.dom);
    LONGS_EQUAL(port, status(local).u.interdomain.port);
    be(0);
    LONGS_EQUAL(EVTCHNSTAT_interdomain, status(port).status);
    LONGS_EQUAL(2, status(port).u.interdomain.dom);
    LONGS_EQUAL(local, status(port).u.interdomain.port);
    CHECK(!is_pending(0, port));
    check_invariants();
}

TEST(EventChannelOp, binding_keeps_the_vcpu_that_the_unbound_end_chose)
{
    const uint32_t port = unbound_for(2);
    LONGS_EQUAL(0, notify(port, 2));
    be(1);
    const uint32_t local = bind_to(1, port);
    LONGS_EQUAL(0, send(local));
    CHECK(is_told(0, 2, port));
    CHECK(!is_told(0, 0, port));
}

TEST(EventChannelOp, binding_needs_a_port_that_waits_for_this_partition)
{
    const uint32_t for_third = unbound_for(3);
    const uint32_t for_second = unbound_for(2);
    const uint32_t an_ipi = ipi(0);
    be(1);
    for (const uint32_t port : {for_third, an_ipi, 0u, 9u, 4095u, 4096u, ~0u}) {
        evtchn_bind_interdomain request{1, port, 0};
        LONGS_EQUAL(negative(XEN_EINVAL), call(EVTCHNOP_bind_interdomain, request));
    }
    bind_to(1, for_second);
    evtchn_bind_interdomain again{1, for_second, 0};
    LONGS_EQUAL(negative(XEN_EINVAL), call(EVTCHNOP_bind_interdomain, again));
    LONGS_EQUAL(1, open_ports_of(1));
    check_invariants();
}

TEST(EventChannelOp, binding_needs_a_partition)
{
    for (const domid_t domain : {domid_t{0}, domid_t{4}, domid_t{0x7000}, domid_t{DOMID_XEN}}) {
        evtchn_bind_interdomain request{domain, 1, 0};
        LONGS_EQUAL(negative(XEN_ESRCH), call(EVTCHNOP_bind_interdomain, request));
    }
}

TEST(EventChannelOp, binding_to_a_partition_that_was_left_out_is_invalid)
{
    partition(1).events.count = 0;
    evtchn_bind_interdomain request{2, 1, 0};
    LONGS_EQUAL(negative(XEN_EINVAL), call(EVTCHNOP_bind_interdomain, request));
}

TEST(EventChannelOp, a_partition_can_connect_two_ports_of_its_own)
{
    const uint32_t port = unbound_for(DOMID_SELF);
    const uint32_t other = bind_to(DOMID_SELF, port);
    clear_events(0);
    LONGS_EQUAL(0, send(port));
    CHECK(is_pending(0, other));
    CHECK(!is_pending(0, port));
    LONGS_EQUAL(0, send(other));
    CHECK(is_pending(0, port));
    check_invariants();
    LONGS_EQUAL(0, close(port));
    LONGS_EQUAL(EVTCHNSTAT_unbound, status(other).status);
    LONGS_EQUAL(1, status(other).u.unbound.dom);
    check_invariants();
}

TEST(EventChannelOp, a_virtual_interrupt_of_a_vcpu_is_bound_once_for_each)
{
    const uint32_t first = virq(VIRQ_TIMER, 0);
    const uint32_t second = virq(VIRQ_TIMER, 1);
    CHECK(first != second);
    evtchn_bind_virq again{VIRQ_TIMER, 1, 0};
    LONGS_EQUAL(negative(XEN_EEXIST), call(EVTCHNOP_bind_virq, again));
    LONGS_EQUAL(EVTCHNSTAT_virq, status(second).status);
    LONGS_EQUAL(VIRQ_TIMER, status(second).u.virq);
    LONGS_EQUAL(1, status(second).vcpu);
    check_invariants();
}

TEST(EventChannelOp, a_global_virtual_interrupt_is_bound_on_vcpu_0)
{
    for (const uint32_t number : {uint32_t{VIRQ_DOM_EXC}, uint32_t{VIRQ_CONSOLE}, uint32_t{VIRQ_ARCH_0}}) {
        evtchn_bind_virq request{number, 1, 0};
        LONGS_EQUAL(negative(XEN_EINVAL), call(EVTCHNOP_bind_virq, request));
        virq(number, 0);
    }
    for (const uint32_t number : {uint32_t{VIRQ_DEBUG}, uint32_t{VIRQ_XENOPROF}, uint32_t{VIRQ_XENPMU}})
        virq(number, 2);
    check_invariants();
}

TEST(EventChannelOp, a_virtual_interrupt_needs_a_number_and_a_vcpu_that_exist)
{
    evtchn_bind_virq request{NR_VIRQS, 0, 0};
    LONGS_EQUAL(negative(XEN_EINVAL), call(EVTCHNOP_bind_virq, request));
    request = {~0u, 0, 0};
    LONGS_EQUAL(negative(XEN_EINVAL), call(EVTCHNOP_bind_virq, request));
    request = {VIRQ_TIMER, 3, 0};
    LONGS_EQUAL(negative(XEN_ENOENT), call(EVTCHNOP_bind_virq, request));
    request = {VIRQ_TIMER, ~0u, 0};
    LONGS_EQUAL(negative(XEN_ENOENT), call(EVTCHNOP_bind_virq, request));
    LONGS_EQUAL(0, open_ports_of(0));
}

TEST(EventChannelOp, an_ipi_port_needs_a_vcpu_that_exists)
{
    evtchn_bind_ipi request{3, 0};
    LONGS_EQUAL(negative(XEN_ENOENT), call(EVTCHNOP_bind_ipi, request));
    request.vcpu = ~0u;
    LONGS_EQUAL(negative(XEN_ENOENT), call(EVTCHNOP_bind_ipi, request));
}

TEST(EventChannelOp, there_are_no_physical_interrupts)
{
    evtchn_bind_pirq request{4, 0, 0};
    LONGS_EQUAL(negative(XEN_EINVAL), call(EVTCHNOP_bind_pirq, request));
}

// --- Sending ----------------------------------------------------------------------------------------------

TEST(EventChannelOp, an_ipi_reaches_the_vcpu_that_it_was_bound_for)
{
    const uint32_t port = ipi(2);
    LONGS_EQUAL(0, send(port));
    CHECK(is_pending(0, port));
    CHECK(is_told(0, 2, port));
    CHECK(!is_told(0, 0, port));
}

TEST(EventChannelOp, an_event_reaches_the_peer_and_not_the_sender)
{
    const uint32_t port = unbound_for(2);
    be(1);
    const uint32_t local = bind_to(1, port);
    clear_events(1);
    LONGS_EQUAL(0, send(local));
    CHECK(is_pending(0, port));
    CHECK(is_told(0, 0, port));
    CHECK(!is_pending(1, local));
}

TEST(EventChannelOp, an_event_to_nobody_is_dropped)
{
    const uint32_t port = unbound_for(2);
    LONGS_EQUAL(0, send(port));
    CHECK(!is_pending(0, port));
}

TEST(EventChannelOp, sending_needs_a_port_that_sends)
{
    const uint32_t timer = virq(VIRQ_TIMER, 0);
    for (const uint32_t port : {timer, 0u, 77u, 4095u, 4096u, ~0u})
        LONGS_EQUAL(negative(XEN_EINVAL), send(port));
}

TEST(EventChannelOp, a_masked_port_is_pending_without_telling_the_vcpu)
{
    const uint32_t port = ipi(0);
    mask(0, port);
    LONGS_EQUAL(0, send(port));
    CHECK(is_pending(0, port));
    CHECK(!is_told(0, 0, port));
    LONGS_EQUAL(0, info(0).evtchn_pending_sel);
}

TEST(EventChannelOp, a_port_that_is_pending_tells_nobody_again)
{
    const uint32_t port = ipi(0);
    LONGS_EQUAL(0, send(port));
    info(0).evtchn_upcall_pending = 0;
    info(0).evtchn_pending_sel = 0;
    LONGS_EQUAL(0, send(port));
    CHECK(!is_told(0, 0, port));
}

TEST(EventChannelOp, a_selector_bit_that_is_set_needs_no_second_upcall)
{
    const uint32_t first = ipi(0);
    const uint32_t second = ipi(0);
    LONGS_EQUAL(0, send(first));
    info(0).evtchn_upcall_pending = 0;       // the guest is in its handler
    LONGS_EQUAL(0, send(second));
    CHECK(is_pending(0, second));
    LONGS_EQUAL(0, info(0).evtchn_upcall_pending);
}

TEST(EventChannelOp, ports_of_every_word_select_theirs)
{
    for (uint32_t port = 1; port < event_ports; ++port)
        LONGS_EQUAL(port, ipi(0));
    for (const uint32_t port : {63u, 64u, 127u, 2048u, 4095u}) {
        clear_events(0);
        LONGS_EQUAL(0, send(port));
        CHECK(is_pending(0, port));
        CHECK_EQUAL(uint64_t{1} << (port / 64), info(0).evtchn_pending_sel);
    }
}

// --- Who is woken -----------------------------------------------------------------------------------------

TEST(EventChannelOp, the_senders_own_vcpu_is_not_interrupted)
{
    LONGS_EQUAL(0, send(ipi(0)));
    LONGS_EQUAL(0, fake::pokes.size());
    LONGS_EQUAL(0, fake::releases.size());
}

TEST(EventChannelOp, a_vcpu_that_runs_on_another_cpu_is_interrupted_once)
{
    const uint32_t first = ipi(1);
    const uint32_t second = ipi(1);
    fake::cpus[1].schedule.running = &world->vcpu(0, 1);
    LONGS_EQUAL(0, send(first));
    LONGS_EQUAL(0, send(second));
    LONGS_EQUAL(1, fake::pokes.size());
    LONGS_EQUAL(1, fake::pokes[0].raw());
}

TEST(EventChannelOp, the_cpu_of_a_vcpu_that_does_not_run_is_left_alone)
{
    const uint32_t port = ipi(1);
    fake::cpus[1].schedule.running = &world->vcpu(2, 1);
    LONGS_EQUAL(0, send(port));
    CHECK(is_told(0, 1, port));
    LONGS_EQUAL(0, fake::pokes.size());
}

TEST(EventChannelOp, a_blocked_vcpu_is_released)
{
    const uint32_t port = ipi(1);
    Vcpu& target = world->vcpu(0, 1);
    target.hold = hold_blocked | hold_paused;
    LONGS_EQUAL(0, send(port));
    LONGS_EQUAL(1, fake::releases.size());
    POINTERS_EQUAL(&target, fake::releases[0].vcpu);
    LONGS_EQUAL(hold_paused, target.hold);
    LONGS_EQUAL(0, fake::pokes.size());
}

TEST(EventChannelOp, a_masked_event_releases_nobody)
{
    const uint32_t port = ipi(1);
    mask(0, port);
    world->vcpu(0, 1).hold = hold_blocked;
    LONGS_EQUAL(0, send(port));
    LONGS_EQUAL(0, fake::releases.size());
}

TEST(EventChannelOp, who_polls_for_a_port_is_released_though_it_is_masked)
{
    const uint32_t port = ipi(1);
    const uint32_t other = ipi(1);
    mask(0, port);
    mask(0, other);
    Vcpu& target = world->vcpu(0, 1);
    start_polling(target, port);
    hold(target, hold_polling);
    LONGS_EQUAL(0, send(other));
    LONGS_EQUAL(0, fake::releases.size());
    LONGS_EQUAL(0, send(port));
    LONGS_EQUAL(1, fake::releases.size());
    LONGS_EQUAL(0, target.hold);
    LONGS_EQUAL(0, partition(0).events.polling);
}

TEST(EventChannelOp, who_polls_for_several_ports_is_released_by_any)
{
    const uint32_t port = ipi(0);
    mask(0, port);
    for (const size_t number : {size_t{1}, size_t{2}}) {
        start_polling(world->vcpu(0, number), poll_several);
        hold(world->vcpu(0, number), hold_polling);
    }
    LONGS_EQUAL(0, send(port));
    LONGS_EQUAL(2, fake::releases.size());
    LONGS_EQUAL(0, partition(0).events.polling);
}

TEST(EventChannelOp, an_unmasked_event_ends_a_poll_for_another_port)
{
    const uint32_t port = ipi(1);
    Vcpu& target = world->vcpu(0, 1);
    start_polling(target, 99);
    hold(target, hold_polling);
    LONGS_EQUAL(0, send(port));
    LONGS_EQUAL(0, target.hold);
    LONGS_EQUAL(0, partition(0).events.polling);
}

TEST(EventChannelOp, a_poll_that_was_given_up_is_not_released)
{
    const uint32_t port = ipi(1);
    mask(0, port);
    start_polling(world->vcpu(0, 1), port);
    stop_polling(world->vcpu(0, 1));
    LONGS_EQUAL(0, send(port));
    LONGS_EQUAL(0, fake::releases.size());
}

// --- Unmasking --------------------------------------------------------------------------------------------

TEST(EventChannelOp, unmasking_delivers_what_is_pending)
{
    const uint32_t port = ipi(1);
    mask(0, port);
    LONGS_EQUAL(0, send(port));
    LONGS_EQUAL(0, unmask(port));
    CHECK(!is_masked(0, port));
    CHECK(is_told(0, 1, port));
}

TEST(EventChannelOp, unmasking_what_is_not_pending_or_not_masked_tells_nobody)
{
    const uint32_t port = ipi(1);
    mask(0, port);
    LONGS_EQUAL(0, unmask(port));
    CHECK(!is_masked(0, port));
    CHECK(!is_told(0, 1, port));
    partition(0).shared->evtchn_pending[0] |= uint64_t{1} << port;
    LONGS_EQUAL(0, unmask(port));
    CHECK(!is_told(0, 1, port));
}

TEST(EventChannelOp, a_closed_port_can_be_unmasked_and_one_beyond_the_table_not)
{
    mask(0, 100);
    LONGS_EQUAL(0, unmask(100));
    CHECK(!is_masked(0, 100));
    LONGS_EQUAL(negative(XEN_EINVAL), unmask(4096));
}

// --- The vCPU that a port notifies --------------------------------------------------------------------------

TEST(EventChannelOp, a_port_can_be_given_to_another_vcpu)
{
    const uint32_t port = unbound_for(2);
    const uint32_t exception = virq(VIRQ_DOM_EXC, 0);
    LONGS_EQUAL(0, notify(port, 1));
    LONGS_EQUAL(1, status(port).vcpu);
    LONGS_EQUAL(0, notify(exception, 2));
    send_virq(world->vcpu(0), VIRQ_DOM_EXC);
    CHECK(is_told(0, 2, exception));
    be(1);
    const uint32_t local = bind_to(1, port);
    be(0);
    LONGS_EQUAL(0, notify(port, 2));
    be(1);
    LONGS_EQUAL(0, send(local));
    CHECK(is_told(0, 2, port));
    check_invariants();
}

TEST(EventChannelOp, ipis_and_a_vcpus_own_interrupts_stay_where_they_are)
{
    const uint32_t an_ipi = ipi(0);
    const uint32_t timer = virq(VIRQ_TIMER, 0);
    LONGS_EQUAL(negative(XEN_EINVAL), notify(an_ipi, 1));
    LONGS_EQUAL(negative(XEN_EINVAL), notify(timer, 1));
    LONGS_EQUAL(negative(XEN_EINVAL), notify(77, 1));
    LONGS_EQUAL(negative(XEN_EINVAL), notify(4096, 1));
    LONGS_EQUAL(negative(XEN_ENOENT), notify(an_ipi, 3));
}

// --- Closing ----------------------------------------------------------------------------------------------

TEST(EventChannelOp, closing_clears_what_is_pending)
{
    const uint32_t port = ipi(0);
    LONGS_EQUAL(0, send(port));
    LONGS_EQUAL(0, close(port));
    CHECK(!is_pending(0, port));
    LONGS_EQUAL(EVTCHNSTAT_closed, status(port).status);
    LONGS_EQUAL(negative(XEN_EINVAL), send(port));
}

TEST(EventChannelOp, a_closed_port_cannot_be_closed)
{
    LONGS_EQUAL(negative(XEN_EINVAL), close(1));
    LONGS_EQUAL(negative(XEN_EINVAL), close(0));
    LONGS_EQUAL(negative(XEN_EINVAL), close(4096));
    const uint32_t port = ipi(0);
    LONGS_EQUAL(0, close(port));
    LONGS_EQUAL(negative(XEN_EINVAL), close(port));
}

TEST(EventChannelOp, the_peer_of_a_closed_port_waits_for_another_connection)
{
    const uint32_t port = unbound_for(2);
    be(1);
    const uint32_t local = bind_to(1, port);
    be(0);
    LONGS_EQUAL(0, notify(port, 2));
    be(1);
    LONGS_EQUAL(0, close(local));
    be(0);
    LONGS_EQUAL(EVTCHNSTAT_unbound, status(port).status);
    LONGS_EQUAL(2, status(port).u.unbound.dom);
    LONGS_EQUAL(2, status(port).vcpu);
    LONGS_EQUAL(0, send(port));
    CHECK(!is_pending(1, local));
    be(1);
    bind_to(1, port);
    check_invariants();
}

TEST(EventChannelOp, either_end_may_be_the_one_with_the_lower_domain_id)
{
    be(2);
    const uint32_t port = unbound_for(1);
    be(0);
    const uint32_t local = bind_to(3, port);
    be(2);
    LONGS_EQUAL(0, send(port));
    CHECK(is_pending(0, local));
    LONGS_EQUAL(0, close(port));
    be(0);
    LONGS_EQUAL(EVTCHNSTAT_unbound, status(local).status);
    LONGS_EQUAL(3, status(local).u.unbound.dom);
    LONGS_EQUAL(0, close(local));
    check_invariants();
}

TEST(EventChannelOp, an_interrupt_whose_port_was_closed_can_be_bound_again)
{
    const uint32_t timer = virq(VIRQ_TIMER, 1);
    LONGS_EQUAL(0, close(timer));
    LONGS_EQUAL(0, world->vcpu(0, 1).virq_port[VIRQ_TIMER]);
    virq(VIRQ_TIMER, 1);
    const uint32_t exception = virq(VIRQ_DOM_EXC, 0);
    LONGS_EQUAL(0, notify(exception, 2));
    LONGS_EQUAL(0, close(exception));
    LONGS_EQUAL(0, world->vcpu(0).virq_port[VIRQ_DOM_EXC]);
    virq(VIRQ_DOM_EXC, 0);
    check_invariants();
}

TEST(EventChannelOp, closing_a_global_interrupt_leaves_another_vcpus_own_one)
{
    // Port numbers and interrupt numbers must not be mixed up when a bound-elsewhere port closes.
    virq(VIRQ_TIMER, 2);
    const uint32_t exception = virq(VIRQ_DOM_EXC, 0);
    LONGS_EQUAL(0, notify(exception, 2));
    LONGS_EQUAL(0, close(exception));
    CHECK(world->vcpu(0, 2).virq_port[VIRQ_TIMER] != 0);
    check_invariants();
}

// --- Status, reset, and the rest -----------------------------------------------------------------------------

TEST(EventChannelOp, status_is_for_ones_own_ports)
{
    evtchn_status request{};
    request.dom = 1;
    request.port = 5;
    LONGS_EQUAL(0, call(EVTCHNOP_status, request));
    LONGS_EQUAL(EVTCHNSTAT_closed, request.status);
    request.dom = 2;
    LONGS_EQUAL(negative(XEN_EPERM), call(EVTCHNOP_status, request));
    request.dom = 0;
    LONGS_EQUAL(negative(XEN_EPERM), call(EVTCHNOP_status, request));
    request.dom = 9;
    LONGS_EQUAL(negative(XEN_ESRCH), call(EVTCHNOP_status, request));
    request.dom = DOMID_SELF;
    request.port = 4096;
    LONGS_EQUAL(negative(XEN_EINVAL), call(EVTCHNOP_status, request));
}

TEST(EventChannelOp, status_tells_an_ipi)
{
    const uint32_t port = ipi(2);
    LONGS_EQUAL(EVTCHNSTAT_ipi, status(port).status);
    LONGS_EQUAL(2, status(port).vcpu);
}

TEST(EventChannelOp, reset_closes_everything_of_the_caller_in_slices)
{
    for (int i = 0; i < 300; ++i)
        ipi(0);
    const uint32_t port = unbound_for(2);
    be(1);
    const uint32_t local = bind_to(1, port);
    be(0);
    evtchn_reset request{DOMID_SELF};
    LONGS_EQUAL(301, open_ports_of(0));
    CHECK(call(EVTCHNOP_reset, request) == hypercall_continue);
    CHECK(call(EVTCHNOP_reset, request) == hypercall_continue);
    LONGS_EQUAL(0, call(EVTCHNOP_reset, request));
    LONGS_EQUAL(0, open_ports_of(0));
    be(1);
    LONGS_EQUAL(EVTCHNSTAT_unbound, status(local).status);
    check_invariants();
}

TEST(EventChannelOp, reset_is_for_oneself_only)
{
    evtchn_reset request{1};
    LONGS_EQUAL(0, call(EVTCHNOP_reset, request));
    request.dom = 2;
    LONGS_EQUAL(negative(XEN_EPERM), call(EVTCHNOP_reset, request));
    request.dom = 99;
    LONGS_EQUAL(negative(XEN_ESRCH), call(EVTCHNOP_reset, request));
}

TEST(EventChannelOp, unknown_operations_are_not_there)
{
    std::array<uint8_t, 32> any{};
    for (const uint64_t operation : {uint64_t{14}, uint64_t{0xffffffff}})
        LONGS_EQUAL(negative(XEN_ENOSYS), call(operation, any));
}

TEST(EventChannelOp, a_record_that_cannot_be_read_is_a_fault_and_changes_nothing)
{
    for (uint64_t operation = 0; operation <= EVTCHNOP_reset; ++operation) {
        for (const uint64_t address : {uint64_t{0}, uint64_t{0x999000}, uint64_t{0xffff800000000000}, ~uint64_t{0}}) {
            HypercallArguments arguments{{operation, address}};
            LONGS_EQUAL(negative(XEN_EFAULT), do_event_channel_op(be(0), arguments));
        }
    }
    LONGS_EQUAL(0, open_ports_of(0));
    check_invariants();
}

TEST(EventChannelOp, an_answer_that_cannot_be_written_is_a_fault)
{
    fake::guest_regions.clear();
    fake::map_guest(record_at, record, false);
    evtchn_alloc_unbound request{DOMID_SELF, 2, 0};
    LONGS_EQUAL(negative(XEN_EFAULT), call(EVTCHNOP_alloc_unbound, request));
    LONGS_EQUAL(1, open_ports_of(0));       // as with Xen: the port stays
    check_invariants();
}

TEST(EventChannelOp, each_record_is_read_once)
{
    const uint32_t port = ipi(0);
    for (const uint64_t operation : {uint64_t{EVTCHNOP_send}, uint64_t{EVTCHNOP_unmask}, uint64_t{EVTCHNOP_bind_vcpu},
                                     uint64_t{EVTCHNOP_close}, uint64_t{EVTCHNOP_alloc_unbound}}) {
        evtchn_bind_vcpu request{port, 0};
        fake::guest_reads = 0;
        call(operation, request);
        LONGS_EQUAL(1, fake::guest_reads);
    }
}
