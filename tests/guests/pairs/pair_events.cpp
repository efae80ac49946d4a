// SPDX-License-Identifier: BSD-2-Clause
// Claim: a port that one partition allocates for another is bound there once, by that one only; either
// end's send sets the other's bit and leads to its upcall; a close leaves the other end unbound.
#include "framework/events.hpp"
#include "framework/pair.hpp"

namespace {

constexpr long ESRCH = 3;

template <class T>
long event_op(unsigned command, T& request)
{
    return hypercall<__HYPERVISOR_event_channel_op>(command, as_argument(&request));
}

uint32_t allocate_for(uint16_t domain)
{
    evtchn_alloc_unbound_t request = {DOMID_SELF, domain, 0};
    CHECK_EQUAL(0, event_op(EVTCHNOP_alloc_unbound, request));
    return request.port;
}

long bind(uint16_t domain, uint32_t remote_port, uint32_t& port)
{
    evtchn_bind_interdomain_t request = {domain, remote_port, 0};
    const long result = event_op(EVTCHNOP_bind_interdomain, request);
    port = request.local_port;
    return result;
}

evtchn_status_t status_of(uint32_t port)
{
    evtchn_status_t request = {};
    request.dom = DOMID_SELF;
    request.port = port;
    CHECK_EQUAL(0, event_op(EVTCHNOP_status, request));
    return request;
}

void wait_for(uint32_t port)
{
    while (!take_pending(port))
        hypercall<__HYPERVISOR_sched_op>(SCHEDOP_yield, 0);
}

void allocator()
{
    const uint32_t port = allocate_for(pair.peer);
    const uint32_t for_another = allocate_for(static_cast<uint16_t>(pair.peer + 1));
    set_port_mask(port, false);
    CHECK_EQUAL(EVTCHNSTAT_unbound, status_of(port).status);
    CHECK_EQUAL(0, send(port));                      // to nobody yet: no error, no effect
    pair.page->word[0] = port;
    pair.page->word[1] = for_another;
    step(2);
    step(3);
    const evtchn_status_t status = status_of(port);
    CHECK_EQUAL(EVTCHNSTAT_interdomain, status.status);
    CHECK_EQUAL(pair.peer, status.u.interdomain.dom);
    CHECK_EQUAL(pair.page->word[2], status.u.interdomain.port);
    wait_for(port);
    CHECK(events_seen > 0);
    CHECK_EQUAL(0, send(port));
    step(4);
    step(5);                                         // closed there
    CHECK_EQUAL(EVTCHNSTAT_unbound, status_of(port).status);
    CHECK_EQUAL(pair.peer, status_of(port).u.unbound.dom);
    step(6);
    step(7);                                         // and bound again
    CHECK_EQUAL(EVTCHNSTAT_interdomain, status_of(port).status);
    CHECK_EQUAL(0, close(port));
    CHECK_EQUAL(0, close(for_another));
    step(8);
    step(9);
}

void binder()
{
    step(2);
    const auto remote = static_cast<uint32_t>(pair.page->word[0]);
    uint32_t port = 0;
    uint32_t second = 0;
    CHECK(bind(pair.peer, static_cast<uint32_t>(pair.page->word[1]), port) < 0);
    CHECK(bind(pair.peer, 4000, port) < 0);
    CHECK_EQUAL(-ESRCH, bind(0x123, remote, port));
    CHECK_EQUAL(0, bind(pair.peer, remote, port));
    CHECK(bind(pair.peer, remote, second) < 0);      // once
    // A port is pending at both ends once it is bound, so that nothing that was sent before is lost.
    set_port_mask(port, false);
    wait_for(port);
    pair.page->word[2] = port;
    CHECK_EQUAL(0, send(port));
    step(3);
    step(4);
    wait_for(port);
    CHECK(events_seen > 0);
    CHECK_EQUAL(0, close(port));
    CHECK(send(port) < 0);
    step(5);
    step(6);
    CHECK_EQUAL(0, bind(pair.peer, remote, port));
    step(7);
    step(8);
    const evtchn_status_t status = status_of(port);
    CHECK_EQUAL(EVTCHNSTAT_unbound, status.status);
    CHECK_EQUAL(0, send(port));
    step(9);
}

}  // namespace

GUEST_TEST(pair_events)
{
    install_traps();
    listen_to_events();
    meet();
    pair.first ? allocator() : binder();
}
