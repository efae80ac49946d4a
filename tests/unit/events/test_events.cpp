// SPDX-License-Identifier: BSD-2-Clause
// Event channels as the rest of the core uses them.
#include "event_fixture.hpp"

using namespace bulkhead;

namespace {

std::vector<uint32_t> handled;
void handler(Partition& partition, Port port) { handled.push_back(partition.id.raw() * 10000u + port.raw()); }
void second_handler(Partition&, Port) {}
void third_handler(Partition&, Port) {}
void fourth_handler(Partition&, Port) {}
void fifth_handler(Partition&, Port) {}

}  // namespace

TEST_GROUP_BASE(Events, EventFixture)
{
    void setup() override
    {
        EventFixture::setup();
        handled.clear();
    }
    uint32_t core_port(uint32_t wanted = 1)
    {
        const Result<Port> port = bind_core_port(partition(0), Port(wanted), handler);
        CHECK(port.has_value());
        return port->raw();
    }
    Errno bind_error(uint32_t wanted, CorePortHandler which = handler)
    {
        const Result<Port> port = bind_core_port(partition(0), Port(wanted), which);
        CHECK(!port.has_value());
        return port.error();
    }
};

// --- From outside a hypercall --------------------------------------------------------------------------------

TEST(Events, a_virtual_interrupt_reaches_its_vcpus_port)
{
    const uint32_t timer = virq(VIRQ_TIMER, 1);
    send_virq(world->vcpu(0, 1), VIRQ_TIMER);
    CHECK(is_pending(0, timer));
    CHECK(is_told(0, 1, timer));
}

TEST(Events, a_virtual_interrupt_that_is_not_bound_or_does_not_exist_is_dropped)
{
    virq(VIRQ_TIMER, 1);
    send_virq(world->vcpu(0, 0), VIRQ_TIMER);
    send_virq(world->vcpu(0, 1), VIRQ_DEBUG);
    send_virq(world->vcpu(0, 1), NR_VIRQS);
    LONGS_EQUAL(0, info(0, 0).evtchn_upcall_pending);
    LONGS_EQUAL(0, info(0, 1).evtchn_upcall_pending);
}

// --- Core ports --------------------------------------------------------------------------------------------

TEST(Events, a_core_port_has_the_wanted_number_and_looks_connected_to_domain_0)
{
    LONGS_EQUAL(1, core_port(1));
    LONGS_EQUAL(EVTCHNSTAT_interdomain, status(1).status);
    LONGS_EQUAL(0, status(1).u.interdomain.dom);
    LONGS_EQUAL(2, core_port(0));
    check_invariants();
}

TEST(Events, sending_on_a_core_port_calls_its_handler_and_nothing_else)
{
    core_port(1);
    LONGS_EQUAL(0, send(1));
    LONGS_EQUAL(0, send(1));
    LONGS_EQUAL(2, handled.size());
    LONGS_EQUAL(10001, handled[0]);
    CHECK(!is_pending(0, 1));
    CHECK(!partition(0).events.lock.is_locked());
}

TEST(Events, the_core_notifies_the_guest_on_its_port)
{
    core_port(1);
    LONGS_EQUAL(0, notify(1, 2));
    notify_core_port(partition(0), Port(1));
    CHECK(is_told(0, 2, 1));
    LONGS_EQUAL(0, handled.size());
}

TEST(Events, a_port_that_the_guest_closed_or_made_another_is_not_the_cores_any_more)
{
    core_port(1);
    LONGS_EQUAL(0, close(1));
    notify_core_port(partition(0), Port(1));
    CHECK(!is_pending(0, 1));
    LONGS_EQUAL(1, ipi(0));
    notify_core_port(partition(0), Port(1));
    CHECK(!is_pending(0, 1));
    notify_core_port(partition(0), Port(0));
    notify_core_port(partition(0), Port(4096));
    LONGS_EQUAL(XEN_EBUSY, bind_error(1));
}

TEST(Events, a_core_port_needs_a_free_number_and_room_for_its_handler)
{
    LONGS_EQUAL(XEN_EINVAL, bind_error(4096));
    core_port(1);
    LONGS_EQUAL(XEN_EBUSY, bind_error(1));
    for (const CorePortHandler which : {second_handler, third_handler, fourth_handler})
        CHECK(bind_core_port(partition(0), Port(0), which).has_value());
    LONGS_EQUAL(XEN_ENOSPC, bind_error(0, fifth_handler));
    core_port(0);                            // a handler that is known needs no room
    while (open_ports_of(0) < 4095)
        ipi(0);
    LONGS_EQUAL(XEN_ENOSPC, bind_error(0));
}

TEST(Events, another_partition_cannot_bind_to_a_core_port)
{
    core_port(1);
    be(1);
    evtchn_bind_interdomain request{1, 1, 0};
    LONGS_EQUAL(negative(XEN_EINVAL), call(EVTCHNOP_bind_interdomain, request));
}

// --- The end of a life ----------------------------------------------------------------------------------------

TEST(Events, a_life_ends_with_every_port_closed_and_peers_unbound)
{
    core_port(1);
    const uint32_t port = unbound_for(2);
    virq(VIRQ_TIMER, 0);
    virq(VIRQ_DOM_EXC, 0);
    ipi(1);
    start_polling(world->vcpu(0, 1), 9);
    be(1);
    const uint32_t local = bind_to(1, port);
    CHECK(reset_events(partition(0)));
    LONGS_EQUAL(0, open_ports_of(0));
    LONGS_EQUAL(EVTCHNSTAT_unbound, status(local).status);
    LONGS_EQUAL(1, status(local).u.unbound.dom);
    LONGS_EQUAL(0, world->vcpu(0).virq_port[VIRQ_TIMER]);
    LONGS_EQUAL(0, world->vcpu(0).virq_port[VIRQ_DOM_EXC]);
    LONGS_EQUAL(0, partition(0).events.polling);
    check_invariants();

    LONGS_EQUAL(0, send(local));             // to nobody
    be(0);
    LONGS_EQUAL(1, core_port(1));            // the next life
    bind_to(2, local);
    check_invariants();
}

TEST(Events, a_long_end_takes_several_slices)
{
    for (uint32_t i = 1; i < event_ports; ++i)
        ipi(0);
    unsigned slices = 1;
    while (!reset_events(partition(0)))
        ++slices;
    LONGS_EQUAL(32, slices);
    LONGS_EQUAL(0, open_ports_of(0));
    CHECK(reset_events(partition(0)));
}

TEST(Events, a_partition_that_was_left_out_has_nothing_to_end)
{
    fake::World other(1, 0);
    init_events(other.partitions);
    LONGS_EQUAL(0, other[0].events.count);
    CHECK(reset_events(other[0]));
    notify_core_port(other[0], Port(1));
    CHECK(event_port_info(other[0], Port(1)).state == PortState::closed);
}

// --- vcpu_info -------------------------------------------------------------------------------------------------

TEST(Events, a_moved_vcpu_info_keeps_its_contents_and_has_everything_pending)
{
    const uint32_t port = ipi(1);
    info(0, 1).arch.cr2 = 0x1234;
    info(0, 1).evtchn_upcall_mask = 1;
    vcpu_info_t place{};
    move_vcpu_info(world->vcpu(0, 1), &place);
    POINTERS_EQUAL(&place, world->vcpu(0, 1).info);
    LONGS_EQUAL(0x1234, place.arch.cr2);
    LONGS_EQUAL(1, place.evtchn_upcall_mask);
    LONGS_EQUAL(1, place.evtchn_upcall_pending);
    CHECK_EQUAL(~uint64_t{0}, place.evtchn_pending_sel);
    place.evtchn_upcall_pending = 0;
    place.evtchn_pending_sel = 0;
    LONGS_EQUAL(0, send(port));
    LONGS_EQUAL(1, place.evtchn_upcall_pending);
    LONGS_EQUAL(0, partition(0).shared->vcpu_info[1].evtchn_upcall_pending);
}

// --- What the monitor sees ----------------------------------------------------------------------------------------

TEST(Events, the_monitor_sees_every_kind_of_port)
{
    core_port(1);
    const uint32_t port = unbound_for(2);
    const uint32_t exception = virq(VIRQ_DOM_EXC, 0);
    const uint32_t an_ipi = ipi(2);
    mask(0, an_ipi);
    LONGS_EQUAL(0, send(an_ipi));

    STRCMP_EQUAL("core", port_state_name(event_port_info(partition(0), Port(1)).state));
    PortInfo seen = event_port_info(partition(0), Port(port));
    STRCMP_EQUAL("unbound", port_state_name(seen.state));
    LONGS_EQUAL(2, seen.peer_domain.raw());
    seen = event_port_info(partition(0), Port(exception));
    STRCMP_EQUAL("virq", port_state_name(seen.state));
    LONGS_EQUAL(VIRQ_DOM_EXC, seen.peer);
    seen = event_port_info(partition(0), Port(an_ipi));
    STRCMP_EQUAL("ipi", port_state_name(seen.state));
    LONGS_EQUAL(2, seen.vcpu);
    CHECK(seen.pending && seen.masked);

    be(1);
    const uint32_t local = bind_to(1, port);
    seen = event_port_info(partition(1), Port(local));
    STRCMP_EQUAL("interdomain", port_state_name(seen.state));
    LONGS_EQUAL(1, seen.peer_domain.raw());
    LONGS_EQUAL(port, seen.peer);
    STRCMP_EQUAL("closed", port_state_name(event_port_info(partition(1), Port(4000)).state));
    STRCMP_EQUAL("closed", port_state_name(event_port_info(partition(1), Port(4096)).state));
    STRCMP_EQUAL("?", port_state_name(static_cast<PortState>(99)));
}

// --- Ports that the plan connects ---------------------------------------------------------------------

TEST(Events, a_static_port_waits_for_its_peer_and_takes_notifications)
{
    open_static_port(partition(0), Port(2), partition(1), Port(8));
    CHECK(event_port_info(partition(0), Port(2)).state == PortState::unbound);
    LONGS_EQUAL(0, send(2));
    check_invariants();
}

TEST(Events, static_ports_are_connected_by_whoever_comes_second_and_both_are_pending)
{
    open_static_port(partition(0), Port(2), partition(1), Port(8));
    open_static_port(partition(1), Port(8), partition(0), Port(2));
    const PortInfo one = event_port_info(partition(0), Port(2));
    const PortInfo other = event_port_info(partition(1), Port(8));
    CHECK(one.state == PortState::interdomain && other.state == PortState::interdomain);
    LONGS_EQUAL(8, one.peer);
    LONGS_EQUAL(2, other.peer);
    CHECK(is_pending(0, 2) && is_pending(1, 8));
    check_invariants();
    clear_events(0);
    clear_events(1);
    LONGS_EQUAL(0, send(2));
    CHECK(is_pending(1, 8));
    CHECK_FALSE(is_pending(0, 2));
}

TEST(Events, a_static_port_comes_back_with_the_next_life_of_either_end)
{
    open_static_port(partition(0), Port(2), partition(1), Port(8));
    open_static_port(partition(1), Port(8), partition(0), Port(2));
    for (const size_t again : {1u, 0u, 1u}) {
        while (!reset_events(partition(again))) {
        }
        const size_t stays = 1 - again;
        const Port port(stays == 0 ? 2 : 8);
        CHECK(event_port_info(partition(stays), port).state == PortState::unbound);
        if (again == 1)
            LONGS_EQUAL(0, send(2));
        clear_events(0);
        clear_events(1);
        if (again == 1)
            open_static_port(partition(1), Port(8), partition(0), Port(2));
        else
            open_static_port(partition(0), Port(2), partition(1), Port(8));
        CHECK(event_port_info(partition(0), Port(2)).state == PortState::interdomain);
        CHECK(is_pending(0, 2) && is_pending(1, 8));
        check_invariants();
    }
}

TEST(Events, a_static_port_leaves_alone_what_its_peer_made_of_its_own)
{
    evtchn_alloc_unbound request{DOMID_SELF, 3, 0};
    LONGS_EQUAL(0, call(EVTCHNOP_alloc_unbound, request));
    open_static_port(partition(1), Port(8), partition(0), Port(request.port));
    CHECK(event_port_info(partition(0), Port(request.port)).state == PortState::unbound);
    LONGS_EQUAL(3, event_port_info(partition(0), Port(request.port)).peer_domain.raw());
    CHECK(event_port_info(partition(1), Port(8)).state == PortState::unbound);
}

TEST(Events, a_static_port_in_use_or_out_of_range_changes_nothing)
{
    const uint32_t port = ipi(0);
    open_static_port(partition(0), Port(port), partition(1), Port(8));
    CHECK(event_port_info(partition(0), Port(port)).state == PortState::ipi);
    open_static_port(partition(0), Port(event_ports), partition(1), Port(8));
    open_static_port(partition(0), Port(9), partition(1), Port(event_ports));
    LONGS_EQUAL(1, open_ports_of(0));
    LONGS_EQUAL(0, open_ports_of(1));
}
