// SPDX-License-Identifier: BSD-2-Clause
// The bells of shared memory, and which frame a grant of domain 0 gives to whom.
#include "core/shared_memory.hpp"

#include "event_fixture.hpp"

using namespace bulkhead;

// "a" (2 frames): the first partition writes, the second reads. "b" (1 frame): all three.
TEST_GROUP_BASE(SharedMemory, EventFixture)
{
    struct Plan {
        plan::Header header;
        plan::SharedRegion regions[2];
        plan::SharedMember members[5];
    };
    std::unique_ptr<Plan> planned;

    void setup() override
    {
        EventFixture::setup();
        planned = std::make_unique<Plan>();
        planned->header.shared_regions = {offsetof(Plan, regions), 2};
        planned->regions[0] = {{'a'}, 2, 8, 1, {offsetof(Plan, members), 2}};
        planned->regions[1] = {{'b'}, 1, 10, 2, {offsetof(Plan, members) + 2 * sizeof(plan::SharedMember), 3}};
        planned->members[0] = {0, 1, 0};
        planned->members[1] = {1, 0, 0};
        for (uint16_t i = 0; i < 3; ++i)
            planned->members[2 + i] = {i, 1, 0};
        init_shared_memory(planned->header);
    }
    long try_bind(uint32_t bell)
    {
        evtchn_bind_interdomain request{0, bell, 0};
        return call(EVTCHNOP_bind_interdomain, request);
    }
};

TEST(SharedMemory, each_member_gets_the_frames_as_the_plan_says)
{
    const Mfn first = shared_frame(partition(0), 8, true).value();
    CHECK(shared_frame(partition(1), 8, false).value() == first);
    CHECK(shared_frame(partition(0), 9, true).value() == first + 1);
    CHECK(shared_frame(partition(2), 10, true).value() != first);
    LONGS_EQUAL(XEN_EPERM, shared_frame(partition(1), 9, true).error());
    LONGS_EQUAL(XEN_EINVAL, shared_frame(partition(2), 8, false).error());
    for (const uint32_t ref : {0u, 7u, 11u, ~0u})
        LONGS_EQUAL(XEN_EINVAL, shared_frame(partition(0), ref, false).error());
    for (size_t at = 0; at < page_size; ++at)
        LONGS_EQUAL(0, fake::frame_bytes(first)[at]);
}

TEST(SharedMemory, a_bell_reaches_every_other_member_that_has_bound_it)
{
    uint32_t port[3];
    for (size_t i = 0; i < 2; ++i) {
        be(i);
        port[i] = bind_to(0, 2);
        CHECK(is_pending(i, port[i]));
        clear_events(i);
    }
    LONGS_EQUAL(0, send(port[1]));
    CHECK(is_pending(0, port[0]));
    CHECK_FALSE(is_pending(1, port[1]));
    clear_events(0);
    be(2);
    port[2] = bind_to(0, 2);
    clear_events(2);
    LONGS_EQUAL(0, send(port[2]));
    CHECK(is_pending(0, port[0]) && is_pending(1, port[1]));
    CHECK_FALSE(is_pending(2, port[2]));
    check_invariants();
}

TEST(SharedMemory, a_bell_is_bound_by_members_and_once)
{
    LONGS_EQUAL(-XEN_ESRCH, try_bind(0));
    LONGS_EQUAL(-XEN_ESRCH, try_bind(3));
    be(2);
    LONGS_EQUAL(-XEN_EPERM, try_bind(1));
    be(0);
    LONGS_EQUAL(0, try_bind(1));
    LONGS_EQUAL(-XEN_EEXIST, try_bind(1));
    STRCMP_EQUAL("a", bell_name(1));
    STRCMP_EQUAL("?", bell_name(3));
}

TEST(SharedMemory, a_bell_that_is_closed_or_whose_life_ended_is_not_rung_and_can_be_bound_again)
{
    const uint32_t reader = (be(1), bind_to(0, 1));
    be(0);
    uint32_t port = bind_to(0, 1);
    const evtchn_status shown = status(port);
    LONGS_EQUAL(EVTCHNSTAT_interdomain, shown.status);
    LONGS_EQUAL(0, shown.u.interdomain.dom);
    LONGS_EQUAL(1, shown.u.interdomain.port);
    LONGS_EQUAL(0, close(port));
    LONGS_EQUAL(0, try_bind(1));
    while (!reset_events(partition(0))) {
    }
    clear_events(0);
    be(1);
    LONGS_EQUAL(0, send(reader));
    LONGS_EQUAL(0, open_ports_of(0));
    be(0);
    port = bind_to(0, 1);
    clear_events(0);
    be(1);
    LONGS_EQUAL(0, send(reader));
    CHECK(is_pending(0, port));
    check_invariants();
}

TEST(SharedMemory, a_bell_may_notify_another_vcpu)
{
    const uint32_t port = bind_to(0, 2);
    LONGS_EQUAL(0, notify(port, 2));
    clear_events(0);
    be(1);
    LONGS_EQUAL(0, send(bind_to(0, 2)));
    CHECK(is_told(0, 2, port));
}
