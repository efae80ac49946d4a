// SPDX-License-Identifier: BSD-2-Clause
// The driver of virtio-net against a model of the card.
#include "pvdrivers/nic/virtio_net.hpp"

#include "pvdrivers/nic/driver.cpp"
#include "pvdrivers/nic/frame.cpp"
#include "pvdrivers/nic/sending.cpp"
#include "pvdrivers/nic/virtio_net.cpp"
#include "pvdrivers/nic/virtio_start.cpp"
#include "pvdrivers/nic/virtqueue.cpp"
#include "tests/unit/nic/owner.hpp"
#include "tests/unit/nic/virtio_model.hpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead;
using namespace bulkhead::nic;

namespace {

struct Setup {
    ModelMemory memory{256};
    VirtioModel card{memory};
    VirtioNet driver{card};
    Owner owner{driver};

    bool start()
    {
        if (!driver.start(memory.arena(), owner.handler()))
            return false;
        owner.serve();
        return true;
    }
};

constexpr uint64_t all_offloads = virtio::F_CSUM | virtio::F_GUEST_CSUM | virtio::F_HOST_TSO4 | virtio::F_HOST_TSO6;

virtio::NetHeader flagged(uint8_t flags, uint8_t gso_type = 0)
{
    virtio::NetHeader header{};
    header.flags = flags;
    header.gso_type = gso_type;
    return header;
}

}  // namespace

TEST_GROUP(VirtioNetCard)
{
    Setup it;
    void start()
    {
        CHECK(it.start());
    }
    void start_with(uint64_t features)
    {
        it.card.features |= features;
        start();
    }
    void teardown() override
    {
        LONGS_EQUAL(0, it.memory.faults);
    }
};

TEST(VirtioNetCard, both_ids_are_known)
{
    CHECK(VirtioNet::drives({0x1af4, 0x1041}));
    CHECK(VirtioNet::drives({0x1af4, 0x1000}));
    CHECK_FALSE(VirtioNet::drives({0x1af4, 0x1042}));
}

TEST(VirtioNetCard, the_mac_address_and_the_link_are_the_cards)
{
    start();
    CHECK(it.driver.mac() == (MacAddress{{0x52, 0x54, 0, 1, 2, 3}}));
    CHECK(it.driver.link() == (LinkState{true, 0, true}));
}

TEST(VirtioNetCard, only_features_that_are_used_are_agreed_to)
{
    it.card.features = UINT64_MAX;
    start();
    CHECK(it.card.agreed == (virtio::F_VERSION_1 | virtio::F_ACCESS_PLATFORM | virtio::F_MAC | virtio::F_STATUS |
                             virtio::F_SPEED_DUPLEX | all_offloads));
    const Features features = it.driver.features();
    CHECK(features.tx_checksum && features.rx_checksum && features.tso4 && features.tso6);
}

TEST(VirtioNetCard, segmentation_without_checksums_is_not_agreed_to)
{
    start_with(virtio::F_HOST_TSO4);
    CHECK((it.card.agreed & virtio::F_HOST_TSO4) == 0);
    CHECK_FALSE(it.driver.features().tso4);
}

TEST(VirtioNetCard, the_speed_is_the_cards_if_it_says_so)
{
    it.card.features |= virtio::F_SPEED_DUPLEX;
    const uint32_t speed = 2500;
    std::memcpy(it.card.net_config + virtio::NET_SPEED, &speed, 4);
    it.card.net_config[virtio::NET_DUPLEX] = 1;
    start();
    CHECK(it.driver.link() == (LinkState{true, 2500, true}));
}

TEST(VirtioNetCard, a_card_that_is_not_modern_or_refuses_is_refused)
{
    Setup legacy;
    legacy.card.features = virtio::F_MAC;
    CHECK_FALSE(legacy.start());
    Setup without_mac;
    without_mac.card.features = virtio::F_VERSION_1;
    CHECK_FALSE(without_mac.start());
    Setup refuses;
    refuses.card.refuse_features = true;
    CHECK_FALSE(refuses.start());
    Setup vectors;
    vectors.card.refuse_vectors = true;
    CHECK_FALSE(vectors.start());
    Setup one_queue;
    one_queue.card.queues_there = 1;
    CHECK_FALSE(one_queue.start());
    Setup never;
    never.card.status = 15;
    never.card.never_resets = true;
    CHECK_FALSE(never.start());
    Setup multicast;
    multicast.card.net_config[0] = 1;
    CHECK_FALSE(multicast.start());
    CHECK_FALSE(multicast.memory.on);
}

TEST(VirtioNetCard, structures_beyond_their_bar_are_refused)
{
    for (const unsigned at : {0x64U, 0x74U, 0x84U, 0x94U}) {
        Setup beyond;
        const uint32_t offset = 0x3ffe0;
        std::memcpy(beyond.card.config + at + 8, &offset, 4);
        CHECK_FALSE(beyond.start());
        Setup huge;
        const uint32_t length = 0xfffffff0;
        std::memcpy(huge.card.config + at + 12, &length, 4);
        CHECK_FALSE(huge.start());
    }
    Setup endless;
    endless.card.config[0x95] = 0x40;
    CHECK(endless.start());
    Setup none;
    none.card.config[0x34] = 0;
    CHECK_FALSE(none.start());
}

TEST(VirtioNetCard, queues_of_a_wrong_size_and_doorbells_out_of_place_are_refused)
{
    for (const uint16_t size : {uint16_t{0}, uint16_t{16}, uint16_t{48}}) {
        Setup odd;
        odd.card.queue_size = size;
        odd.card.status = 1;
        CHECK_FALSE(odd.start());
    }
    Setup doorbell;
    doorbell.card.notify_off[1] = 0x400;
    CHECK_FALSE(doorbell.start());
}

TEST(VirtioNetCard, larger_and_smaller_queues_work)
{
    for (const uint16_t size : {uint16_t{32}, uint16_t{1024}}) {
        Setup odd;
        odd.card.queue_size = size;
        CHECK(odd.start());
        LONGS_EQUAL(std::min<unsigned>(size, 256), odd.card.queue(0).size);
        for (unsigned i = 0; i < 200; ++i) {
            CHECK(odd.owner.send(plain_frame(60 + i)));
            CHECK(odd.card.receive(plain_frame(100 + i)));
            odd.owner.serve();
        }
        LONGS_EQUAL(200, odd.owner.received.size());
        LONGS_EQUAL(200, odd.card.sent.size());
    }
}

TEST(VirtioNetCard, many_frames_go_round_the_queues)
{
    start();
    for (unsigned i = 0; i < 70000; ++i) {
        const Bytes frame = plain_frame(60 + i % 1400, static_cast<uint8_t>(i));
        CHECK(it.owner.send(frame, {}, 800));
        CHECK(it.card.sent.back() == frame);
        it.card.sent.clear();
        CHECK(it.card.receive(frame));
        if (i % 100 == 99) {
            it.owner.serve();
            CHECK(it.owner.received.back() == frame);
            it.owner.received.clear();
        }
    }
    LONGS_EQUAL(70000, it.driver.counters().rx_frames);
    LONGS_EQUAL(0, it.driver.counters().broken);
}

TEST(VirtioNetCard, one_notification_tells_of_a_batch)
{
    start();
    const unsigned before = it.card.notifications[1];
    CHECK(it.owner.send(plain_frame(60), {}, 4096, false));
    CHECK(it.owner.send(plain_frame(61), {}, 4096, false));
    LONGS_EQUAL(0, it.card.sent.size());
    it.driver.kick();
    it.driver.kick();
    LONGS_EQUAL(before + 1, it.card.notifications[1]);
    LONGS_EQUAL(2, it.card.sent.size());
}

TEST(VirtioNetCard, a_card_that_looks_by_itself_is_not_notified)
{
    start();
    it.card.want_no_notifications = true;
    CHECK(it.owner.send(plain_frame(60)));
    const unsigned before = it.card.notifications[1];
    CHECK(it.owner.send(plain_frame(60)));
    LONGS_EQUAL(before, it.card.notifications[1]);
    it.card.transmit();
    LONGS_EQUAL(2, it.card.sent.size());
}

TEST(VirtioNetCard, the_card_is_asked_for_checksums_and_segments)
{
    start_with(all_offloads);
    for (const FrameKind kind : {FrameKind{}, FrameKind{.udp = true}, FrameKind{.ipv6 = true, .vlan = true}}) {
        CHECK(it.owner.send(make_frame(kind, 200), blank()));
        CHECK(sums_are_right(it.card.sent.back(), kind));
    }
    const FrameKind kind{.ipv6 = true, .options = 12};
    const Bytes whole = make_frame(kind, 50000);
    CHECK(it.owner.send(whole, gso(kind, 1300)));
    CHECK(it.card.sent.back() == whole);
    const virtio::NetHeader header = it.card.headers.back();
    LONGS_EQUAL(virtio::NET_NEEDS_CSUM, header.flags);
    LONGS_EQUAL(virtio::NET_GSO_TCPV6, header.gso_type);
    LONGS_EQUAL(1300, header.gso_size);
    LONGS_EQUAL(kind.payload(), header.header_length);
    LONGS_EQUAL(kind.transport(), header.checksum_start);
    LONGS_EQUAL(16, header.checksum_offset);
    CHECK(it.owner.send(make_frame({}, 50000), gso({}, 1300)));
    LONGS_EQUAL(virtio::NET_GSO_TCPV4, it.card.headers.back().gso_type);
    LONGS_EQUAL(0, it.driver.counters().software_segments + it.driver.counters().software_checksums);
}

TEST(VirtioNetCard, without_the_cards_help_checksums_are_computed)
{
    start();
    for (const FrameKind kind : {FrameKind{}, FrameKind{.udp = true}, FrameKind{.ipv6 = true},
                                 FrameKind{.ipv6 = true, .udp = true, .vlan = true}, FrameKind{.options = 12}}) {
        for (const size_t bytes : {0UL, 1UL, 2UL, 33UL, 1000UL, 1001UL}) {
            CHECK(it.owner.send(make_frame(kind, bytes), blank(), 333));
            CHECK(sums_are_right(it.card.sent.back(), kind));
            LONGS_EQUAL(0, it.card.headers.back().flags);
        }
    }
    LONGS_EQUAL(30, it.driver.counters().software_checksums);
}

TEST(VirtioNetCard, without_the_cards_help_long_frames_are_cut)
{
    start();
    for (const FrameKind kind : {FrameKind{.options = 12}, FrameKind{.ipv6 = true, .vlan = true}}) {
        for (const size_t segment : {536UL, 1399UL, 1430UL}) {
            for (const size_t bytes : {1431UL, 4095UL, 65000UL}) {
                it.card.sent.clear();
                const Bytes whole = make_frame(kind, bytes);
                CHECK(it.owner.send(whole, gso(kind, static_cast<uint16_t>(segment))));
                STRCMP_EQUAL(nullptr, wrong_with_segments(it.card.sent, whole, kind, segment));
            }
        }
    }
    CHECK(it.driver.counters().software_segments > 100);
}

TEST(VirtioNetCard, segments_may_be_left_to_the_card_for_one_family_only)
{
    start_with(virtio::F_CSUM | virtio::F_HOST_TSO4);
    const FrameKind kind{.ipv6 = true};
    const Bytes whole = make_frame(kind, 30000);
    CHECK(it.owner.send(whole, gso(kind, 1400)));
    STRCMP_EQUAL(nullptr, wrong_with_segments(it.card.sent, whole, kind, 1400));
    LONGS_EQUAL(0, it.driver.counters().software_checksums);
}

TEST(VirtioNetCard, a_long_frame_that_finds_no_room_is_dropped_as_a_whole)
{
    start();
    it.card.hold_transmit = true;
    while (it.owner.send(make_frame({}, 60000), gso({}, 1400))) {
    }
    CHECK(it.driver.counters().tx_no_buffer > 0);
    it.card.hold_transmit = false;
    it.card.transmit();
    it.card.sent.clear();
    it.owner.serve();
    const Bytes whole = make_frame({}, 60000);
    CHECK(it.owner.send(whole, gso({}, 1400)));
    STRCMP_EQUAL(nullptr, wrong_with_segments(it.card.sent, whole, {}, 1400));
}

TEST(VirtioNetCard, what_is_known_of_a_checksum_is_passed_on)
{
    start_with(all_offloads);
    CHECK(it.card.receive(plain_frame(60)));
    CHECK(it.card.receive(plain_frame(60), flagged(virtio::NET_DATA_VALID)));
    CHECK(it.card.receive(plain_frame(60), flagged(virtio::NET_NEEDS_CSUM)));
    it.owner.serve();
    LONGS_EQUAL(3, it.owner.offloads.size());
    CHECK(!it.owner.offloads[0].checksum_valid && !it.owner.offloads[0].checksum_blank);
    CHECK(it.owner.offloads[1].checksum_valid && !it.owner.offloads[1].checksum_blank);
    CHECK(it.owner.offloads[2].checksum_valid && it.owner.offloads[2].checksum_blank);
}

TEST(VirtioNetCard, flags_that_were_not_agreed_to_mean_nothing)
{
    start();
    CHECK(it.card.receive(plain_frame(60), flagged(virtio::NET_DATA_VALID | virtio::NET_NEEDS_CSUM, virtio::NET_GSO_TCPV4)));
    it.owner.serve();
    CHECK(!it.owner.offloads[0].checksum_valid && !it.owner.offloads[0].checksum_blank);
    LONGS_EQUAL(0, it.owner.offloads[0].gso_type);
}

TEST(VirtioNetCard, received_frames_raise_one_event_until_the_owner_listens)
{
    start();
    CHECK(it.card.receive(plain_frame(60)));
    LONGS_EQUAL(1, it.owner.events);
    it.driver.on_interrupt();
    CHECK(it.card.receive(plain_frame(61)));
    LONGS_EQUAL(1, it.owner.events);
    CHECK_FALSE(it.driver.listen());
    it.owner.serve();
    LONGS_EQUAL(2, it.owner.received.size());
    CHECK(it.card.receive(plain_frame(62)));
    LONGS_EQUAL(2, it.owner.events);
}

TEST(VirtioNetCard, sending_raises_events_only_for_an_owner_without_buffers)
{
    start();
    for (unsigned i = 0; i < 100; ++i)
        CHECK(it.owner.send(plain_frame(60)));
    LONGS_EQUAL(0, it.owner.events);
    it.card.hold_transmit = true;
    while (it.owner.send(plain_frame(60))) {
    }
    it.card.hold_transmit = false;
    it.card.transmit();
    CHECK(it.owner.events > 0);
    it.owner.serve();
    CHECK(it.owner.send(plain_frame(60)));
    const unsigned after = it.owner.events;
    CHECK(it.owner.send(plain_frame(60)));
    LONGS_EQUAL(after, it.owner.events);
}

TEST(VirtioNetCard, the_link_changes_are_seen)
{
    start();
    it.card.set_link(false);
    LONGS_EQUAL(1, it.owner.events);
    it.owner.serve();
    CHECK_FALSE(it.driver.link().up);
    LONGS_EQUAL(1, it.driver.counters().link_changes);
}

TEST(VirtioNetCard, a_line_is_given_back_by_reading_its_cause)
{
    it.card.msix = false;
    it.card.vector_count = 1;
    start();
    CHECK(it.card.receive(plain_frame(60)));
    it.card.set_link(false);
    it.owner.serve();
    LONGS_EQUAL(0, it.card.isr);
    CHECK_FALSE(it.driver.link().up);
    LONGS_EQUAL(1, it.owner.received.size());
}

TEST(VirtioNetCard, a_card_without_interrupts_is_polled)
{
    it.card.refuse_interrupts = true;
    start();
    CHECK(it.driver.poll_every() != Duration{0});
    LONGS_EQUAL(0xffff, it.card.queue(0).vector);
    CHECK(it.card.receive(plain_frame(60)));
    it.owner.serve();
    LONGS_EQUAL(1, it.owner.received.size());
}

TEST(VirtioNetCard, ids_and_lengths_that_cannot_be_reset_the_card)
{
    const uint32_t nothing = UINT32_MAX - 1;
    const std::pair<uint32_t, uint32_t> cases[] = {
        {256, nothing}, {UINT32_MAX, nothing}, {255, nothing}, {nothing, 2049}, {nothing, 11}};
    for (const auto& [id, length] : cases) {
        Setup odd;
        CHECK(odd.start());
        if (id != nothing)
            odd.card.override_id = id;
        if (length != nothing)
            odd.card.override_length = length;
        CHECK(odd.card.receive(plain_frame(60)));
        odd.card.override_id.reset();
        odd.card.override_length.reset();
        odd.owner.serve();
        LONGS_EQUAL(0, odd.owner.received.size());
        LONGS_EQUAL(1, odd.driver.counters().broken);
        LONGS_EQUAL(1, odd.driver.counters().resets);
        CHECK(odd.card.receive(plain_frame(60)));
        CHECK(odd.owner.send(plain_frame(60)));
        odd.owner.serve();
        LONGS_EQUAL(1, odd.owner.received.size());
        LONGS_EQUAL(1, odd.card.sent.size());
    }
}

TEST(VirtioNetCard, a_chain_that_comes_back_twice_resets_the_card)
{
    start();
    CHECK(it.owner.send(plain_frame(60)));
    it.card.override_id = 0;
    CHECK(it.owner.send(plain_frame(60)));
    CHECK(it.owner.send(plain_frame(60)));
    it.card.override_id.reset();
    it.owner.serve();
    LONGS_EQUAL(1, it.driver.counters().broken);
    CHECK(it.owner.send(plain_frame(60)));
}

TEST(VirtioNetCard, an_index_that_runs_away_resets_the_card)
{
    start();
    it.memory.set<uint16_t>(it.card.queue(0).address[2] + 2, 0x7000);
    it.owner.serve();
    LONGS_EQUAL(1, it.driver.counters().broken);
    CHECK(it.card.receive(plain_frame(60)));
    it.owner.serve();
    LONGS_EQUAL(1, it.owner.received.size());
}

TEST(VirtioNetCard, runt_frames_are_dropped)
{
    start();
    CHECK(it.card.receive(Bytes(13)));
    CHECK(it.card.receive(plain_frame(14)));
    it.owner.serve();
    LONGS_EQUAL(1, it.owner.received.size());
    LONGS_EQUAL(1, it.driver.counters().rx_errors);
}

TEST(VirtioNetCard, a_card_that_asks_for_a_reset_gets_it)
{
    start();
    it.card.status |= virtio::STATUS_NEEDS_RESET;
    it.card.config_changed();
    it.owner.serve();
    it.driver.maintain();
    LONGS_EQUAL(1, it.driver.counters().resets);
    CHECK(it.owner.send(plain_frame(60)));
}

TEST(VirtioNetCard, a_card_that_a_former_life_left_running_is_taken_over)
{
    start();
    for (unsigned i = 0; i < 77; ++i) {
        CHECK(it.card.receive(plain_frame(60)));
        CHECK(it.owner.send(plain_frame(60)));
    }
    VirtioNet next{it.card};
    Owner owner{next};
    CHECK(next.start(it.memory.arena(), owner.handler()).has_value());
    owner.serve();
    LONGS_EQUAL(0, owner.received.size());
    CHECK(it.card.receive(plain_frame(90)));
    CHECK(owner.send(plain_frame(91)));
    owner.serve();
    CHECK(owner.received.size() == 1 && owner.received[0] == plain_frame(90));
    CHECK(it.card.sent.back() == plain_frame(91));
}
