// SPDX-License-Identifier: BSD-2-Clause
// Claim: event channels of one vCPU: allocated, bound, sent, masked, unmasked, delivered by one
// upcall at a time, and closed, as the 2-level ABI says.
#include "framework/events.hpp"

namespace {

constexpr long EINVAL = 22, EEXIST = 17;

void sent_events_arrive()
{
    const uint32_t port = bind_ipi(0);
    CHECK_EQUAL(0, events_seen);
    CHECK_EQUAL(0, send(port));
    CHECK_EQUAL(1, events_seen);
    CHECK(take_pending(port));
    CHECK(!take_pending(port));
    CHECK_EQUAL(0, close(port));
    CHECK_EQUAL(-EINVAL, send(port));
}

void a_masked_vcpu_is_not_interrupted()
{
    const uint32_t port = bind_ipi(0);
    events_seen = 0;
    mask_events();
    CHECK_EQUAL(0, send(port));
    CHECK_EQUAL(0, send(port));
    CHECK_EQUAL(0, events_seen);
    CHECK(own_info().evtchn_upcall_pending);
    unmask_events();
    CHECK_EQUAL(1, events_seen);
    CHECK(take_pending(port));
    CHECK_EQUAL(0, close(port));
}

void a_masked_port_waits_for_the_hypercall()
{
    const uint32_t port = bind_ipi(0);
    events_seen = 0;
    set_port_mask(port, true);
    CHECK_EQUAL(0, send(port));
    CHECK_EQUAL(0, events_seen);
    CHECK(is_pending(port));
    evtchn_unmask_t unmask = {port};
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_unmask, as_argument(&unmask)));
    CHECK_EQUAL(1, events_seen);
    CHECK(take_pending(port));
    CHECK_EQUAL(0, close(port));
}

// Inside the upcall the mask is set; an event that comes then is delivered after the iret.
void upcalls_do_not_nest()
{
    static uint32_t port;
    static unsigned depth;
    static unsigned deepest;
    static unsigned rounds;
    port = bind_ipi(0);
    depth = deepest = rounds = 0;
    trap_handlers[vector_event] = [](TrapFrame&) {
        if (++depth > deepest)
            deepest = depth;
        own_info().evtchn_upcall_pending = 0;
        own_info().evtchn_pending_sel = 0;
        (void)take_pending(port);
        if (++rounds < 5)
            CHECK_EQUAL(0, send(port));
        --depth;
    };
    CHECK_EQUAL(0, send(port));
    CHECK_EQUAL(5, rounds);
    CHECK_EQUAL(1, deepest);
    listen_to_events();
    CHECK_EQUAL(0, close(port));
}

void a_channel_to_itself()
{
    evtchn_alloc_unbound_t alloc = {DOMID_SELF, DOMID_SELF, 0};
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_alloc_unbound, as_argument(&alloc)));
    CHECK_EQUAL(0, send(alloc.port));                // to nobody
    CHECK(!is_pending(alloc.port));
    evtchn_bind_interdomain_t bind = {DOMID_SELF, alloc.port, 0};
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_bind_interdomain, as_argument(&bind)));
    (void)take_pending(bind.local_port);
    (void)take_pending(alloc.port);
    events_seen = 0;
    CHECK_EQUAL(0, send(alloc.port));
    CHECK(is_pending(bind.local_port));
    CHECK(!is_pending(alloc.port));
    CHECK(take_pending(bind.local_port));
    CHECK_EQUAL(0, send(bind.local_port));
    CHECK(take_pending(alloc.port));
    CHECK_EQUAL(2, events_seen);
    evtchn_status_t status = {};
    status.dom = DOMID_SELF;
    status.port = alloc.port;
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_status, as_argument(&status)));
    CHECK_EQUAL(EVTCHNSTAT_interdomain, status.status);
    CHECK_EQUAL(bind.local_port, status.u.interdomain.port);
    CHECK_EQUAL(0, close(bind.local_port));
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_status, as_argument(&status)));
    CHECK_EQUAL(EVTCHNSTAT_unbound, status.status);
    CHECK_EQUAL(0, close(alloc.port));
}

void a_virtual_interrupt_has_one_port()
{
    evtchn_bind_virq_t bind = {VIRQ_DEBUG, 0, 0};
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_bind_virq, as_argument(&bind)));
    evtchn_bind_virq_t again = bind;
    CHECK_EQUAL(-EEXIST, hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_bind_virq, as_argument(&again)));
    CHECK_EQUAL(-EINVAL, send(bind.port));           // only the hypervisor raises it
    CHECK_EQUAL(0, close(bind.port));
    evtchn_bind_virq_t none = {NR_VIRQS, 0, 0};
    CHECK_EQUAL(-EINVAL, hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_bind_virq, as_argument(&none)));
}

void wrong_numbers_are_refused()
{
    CHECK_EQUAL(-EINVAL, send(0));
    CHECK(send(4095) < 0);
    CHECK(send(0xffffffff) < 0);
    CHECK(close(0) < 0);
    evtchn_bind_ipi_t ipi = {5000, 0};
    CHECK(hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_bind_ipi, as_argument(&ipi)) < 0);
    CHECK_EQUAL(-14, hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_send, 0xffff830000000000));
}

}  // namespace

GUEST_TEST(events)
{
    install_traps();
    listen_to_events();
    sent_events_arrive();
    a_masked_vcpu_is_not_interrupted();
    a_masked_port_waits_for_the_hypercall();
    upcalls_do_not_nest();
    a_channel_to_itself();
    a_virtual_interrupt_has_one_port();
    wrong_numbers_are_refused();
}
