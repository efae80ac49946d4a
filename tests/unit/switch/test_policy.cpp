// SPDX-License-Identifier: BSD-2-Clause
// What the plan lets a card do.
#include "pvdrivers/switch/policy.hpp"

#include "tests/unit/switch/switch_box.hpp"
#include "tests/unit/switch/units.hpp"

#include <CppUTest/TestHarness.h>

namespace bulkhead::net {

// clang-format off
TEST_GROUP(Policy)
{
    std::unique_ptr<SwitchBox> box;
    void build(std::vector<VifPlan> plans)
    {
        box = std::make_unique<SwitchBox>(std::move(plans));
        for (auto& guest : box->guests)
            guest->post();
    }
    void exchange()
    {
        box->run();
        CHECK(box->pull());
    }
    FakeGuest& guest(size_t i) { return *box->guests[i]; }
    uint64_t count(size_t vif, Counter which) { return box->vifs[vif]->counters[which]; }
};
// clang-format on

TEST(Policy, vlans_are_kept_apart)
{
    auto plans = some_cards(3);
    plans[0].vlan = plans[1].vlan = 10;
    plans[2].vlan = 20;
    build(plans);
    CHECK(guest(0).send(frame_bytes(guest(1).mac, guest(0).mac, 60)));
    CHECK(guest(0).send(frame_bytes(guest(2).mac, guest(0).mac, 60)));
    CHECK(guest(0).send(frame_bytes(broadcast, guest(0).mac, 60)));
    exchange();
    CHECK_EQUAL(2u, guest(1).received.size());
    CHECK_EQUAL(0u, guest(2).received.size());
    CHECK_EQUAL(1u, count(0, Counter::other_vlan));
}

TEST(Policy, a_port_without_a_tag_cannot_reach_a_vlan_by_writing_one)
{
    auto plans = some_cards(2);
    plans[1].vlan = 20;
    build(plans);
    CHECK(guest(0).send(frame_bytes(guest(1).mac, guest(0).mac, 60, 0x8100)));
    exchange();
    CHECK_EQUAL(1u, count(0, Counter::tagged));
    CHECK_EQUAL(0u, guest(1).received.size());
}

TEST(Policy, tagged_frames_pass_where_the_plan_has_no_vlans)
{
    build(some_cards(2));
    CHECK(guest(0).send(frame_bytes(guest(1).mac, guest(0).mac, 60, 0x8100)));
    exchange();
    CHECK_EQUAL(1u, guest(1).received.size());
}

TEST(Policy, an_isolated_card_talks_to_no_other_card)
{
    auto plans = some_cards(3);
    plans[1].is_isolated = true;
    build(plans);
    CHECK(guest(0).send(frame_bytes(guest(1).mac, guest(0).mac, 60)));
    CHECK(guest(1).send(frame_bytes(guest(0).mac, guest(1).mac, 60)));
    CHECK(guest(1).send(frame_bytes(broadcast, guest(1).mac, 60)));
    CHECK(guest(0).send(frame_bytes(broadcast, guest(0).mac, 60)));
    exchange();
    CHECK_EQUAL(0u, guest(0).received.size());
    CHECK_EQUAL(0u, guest(1).received.size());
    CHECK_EQUAL(1u, guest(2).received.size());
    CHECK_EQUAL(1u, count(0, Counter::isolated));
    CHECK_EQUAL(1u, count(1, Counter::isolated));
}

TEST(Policy, a_storm_of_broadcasts_is_cut)
{
    auto plans = some_cards(2);
    plans[0].storm_frames_per_second = 100;
    build(plans);
    for (unsigned i = 0; i < 50; ++i)
        CHECK(guest(0).send(frame_bytes(broadcast, guest(0).mac, 60)));
    CHECK(guest(0).send(frame_bytes(guest(1).mac, guest(0).mac, 60)));
    exchange();
    CHECK_EQUAL(11u, guest(1).received.size());
    CHECK_EQUAL(40u, count(0, Counter::storm));
    fake::now_ns += 100'000'000;
    for (unsigned i = 0; i < 50; ++i)
        CHECK(guest(0).send(frame_bytes(broadcast, guest(0).mac, 60)));
    exchange();
    CHECK_EQUAL(21u, guest(1).received.size());
}

TEST(Policy, a_rate_limit_makes_the_sender_wait_and_loses_nothing)
{
    auto plans = some_cards(2);
    plans[0].rate_bytes_per_second = 1'000'000;
    plans[0].rate_interval_us = 50'000;
    build(plans);
    constexpr unsigned frames = 100;
    for (unsigned i = 0; i < frames; ++i)
        CHECK(guest(0).send(frame_bytes(guest(1).mac, guest(0).mac, 1500)));
    exchange();
    const size_t at_once = guest(1).received.size();
    CHECK_EQUAL(65535u / 1500 + 1, at_once);
    const int64_t begin = fake::now_ns;
    unsigned rounds = 0;
    for (; guest(1).received.size() < frames && rounds < 1000; ++rounds) {
        const auto deadline = box->path->next_deadline();
        CHECK(deadline.has_value());
        fake::now_ns = deadline->time_since_epoch().count();
        box->path->resume(*deadline);
        exchange();
    }
    CHECK_EQUAL(frames, guest(1).received.size());
    const int64_t expected = static_cast<int64_t>(frames - at_once) * 1500 * 1000;
    CHECK(fake::now_ns - begin > expected * 9 / 10 && fake::now_ns - begin < expected * 11 / 10);
}

TEST(Policy, a_bucket_without_a_rate_limits_nothing)
{
    CHECK(!TokenBucket(0, 100).is_limited());
}

}  // namespace bulkhead::net
