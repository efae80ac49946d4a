// SPDX-License-Identifier: BSD-2-Clause
// Frames from ring to ring.
#include "pvdrivers/switch/data_path.hpp"

#include "tests/unit/switch/switch_box.hpp"
#include "tests/unit/switch/units.hpp"

#include <CppUTest/TestHarness.h>

namespace bulkhead::net {

// clang-format off
TEST_GROUP(DataPath)
{
    SwitchBox box{some_cards(3)};
    FakeGuest& a = *box.guests[0];
    FakeGuest& b = *box.guests[1];
    FakeGuest& c = *box.guests[2];
    void setup() override
    {
        for (auto& guest : box.guests)
            guest->post();
    }
    void exchange()
    {
        box.run();
        CHECK(box.pull());
    }
    uint64_t count(size_t vif, Counter which) { return box.vifs[vif]->counters[which]; }
};
// clang-format on

TEST(DataPath, a_small_frame_goes_to_the_card_with_its_address_in_two_copies)
{
    const Bytes frame = frame_bytes(b.mac, a.mac, 98);
    CHECK(a.send(frame));
    exchange();
    CHECK_EQUAL(1u, b.received.size());
    CHECK(frame == b.received[0].bytes);
    CHECK_EQUAL(0u, c.received.size());
    CHECK_EQUAL(1u, a.tx_done);
    CHECK_EQUAL(2u, fake::copies_done);
    CHECK_EQUAL(1u, fake::notifications[103]);
    CHECK_EQUAL(1u, box.vifs[1]->out.frames);
    CHECK_EQUAL(98u, box.vifs[0]->in.bytes);
}

TEST(DataPath, that_a_small_frame_was_answered_is_told_a_little_later)
{
    CHECK(a.send(frame_bytes(b.mac, a.mac, 98)));
    exchange();
    CHECK_EQUAL(0u, fake::notifications[100]);
    fake::now_ns += 1'000'000;
    box.run();
    CHECK_EQUAL(1u, fake::notifications[100]);
}

TEST(DataPath, that_many_were_answered_or_a_large_one_is_told_at_once)
{
    for (unsigned i = 0; i < 33; ++i) {
        CHECK_EQUAL(0u, fake::notifications[100]);
        CHECK(a.send(frame_bytes(b.mac, a.mac, 98)));
        box.run();
        CHECK(a.pull());
    }
    CHECK_EQUAL(1u, fake::notifications[100]);
    CHECK(a.send(frame_bytes(b.mac, a.mac, 1000), {.sizes = {66, 934}}));
    box.run();
    CHECK_EQUAL(2u, fake::notifications[100]);
}

TEST(DataPath, a_stream_is_served_by_eights_and_its_end_after_a_time)
{
    const auto send = [&] {
        const uint32_t before = a.tx_req_prod;
        CHECK(a.send(frame_bytes(b.mac, a.mac, 98)));
        // As netfront tells.
        if (a.tx->req_event - before <= 1 && a.tx->req_event != before)
            box.path->sender_has_frames(*box.vifs[0]->queues[0]);
        while (box.path->turn()) {
        }
        CHECK(box.pull());
        b.post();
        fake::now_ns += 10'000;
    };
    for (unsigned i = 0; i < 20; ++i)
        send();
    CHECK(box.vifs[0]->queues[0]->is_stream);
    const uint64_t calls = fake::copy_calls;
    for (unsigned i = 0; i < 80; ++i)
        send();
    CHECK_EQUAL(calls + 20, fake::copy_calls);
    send();
    CHECK(a.tx_rsp_cons < a.tx_req_prod);
    fake::now_ns += 200'000;
    TimerQueue::run();
    while (box.path->turn()) {
    }
    CHECK(box.pull());
    CHECK_EQUAL(101u, b.received.size());
    CHECK(!box.vifs[0]->queues[0]->is_stream);
    CHECK_EQUAL(a.tx_req_prod + 1, a.tx->req_event);
}

TEST(DataPath, every_length_arrives_whole)
{
    for (uint16_t bytes = 14; bytes <= 1518; bytes += 37) {
        const Bytes frame = frame_bytes(b.mac, a.mac, bytes);
        CHECK(a.send(frame, {.sizes = {}, .offset = static_cast<uint16_t>(bytes % 2000)}));
        exchange();
        CHECK(frame == b.received.back().bytes);
        b.post();
    }
}

TEST(DataPath, a_frame_in_pieces_is_put_together_in_one_slot)
{
    const Bytes frame = frame_bytes(b.mac, a.mac, 1514);
    CHECK(a.send(frame, {.sizes = {66, 700, 748}}));
    exchange();
    CHECK(frame == b.received.at(0).bytes);
    CHECK_EQUAL(1u, b.received[0].slot_sizes.size());
    CHECK_EQUAL(3u, a.tx_done);
}

TEST(DataPath, headers_in_tiny_slots_are_gathered)
{
    const Bytes frame = frame_bytes(b.mac, a.mac, 500);
    CHECK(a.send(frame, {.sizes = {1, 5, 7, 2, 200, 285}}));
    exchange();
    CHECK(frame == b.received.at(0).bytes);
}

TEST(DataPath, a_large_frame_keeps_its_pieces_and_its_offload)
{
    std::vector<uint16_t> sizes(16, 4096);
    sizes[0] = 4000;
    sizes.insert(sizes.begin(), 66);
    size_t bytes = 0;
    for (const uint16_t size : sizes)
        bytes += size;
    const Bytes frame = frame_bytes(b.mac, a.mac, bytes);
    CHECK(a.send(frame, {.sizes = sizes, .flags = NETTXF_csum_blank | NETTXF_data_validated,
                         .gso_type = XEN_NETIF_GSO_TYPE_TCPV4, .gso_size = 1448}));
    exchange();
    const Received& got = b.received.at(0);
    CHECK(frame == got.bytes);
    CHECK(sizes == got.slot_sizes);
    CHECK_EQUAL(XEN_NETIF_GSO_TYPE_TCPV4, got.gso_type);
    CHECK_EQUAL(1448, got.gso_size);
    CHECK_EQUAL(NETRXF_csum_blank | NETRXF_data_validated, got.flags & (NETRXF_csum_blank | NETRXF_data_validated));
    CHECK_EQUAL(18u, fake::copies_done);
}

TEST(DataPath, a_large_frame_of_many_small_pieces_is_packed)
{
    std::vector<uint16_t> sizes(18, 600);
    const Bytes frame = frame_bytes(b.mac, a.mac, 18 * 600);
    CHECK(a.send(frame, {.sizes = sizes, .flags = NETTXF_csum_blank, .gso_type = XEN_NETIF_GSO_TYPE_TCPV6,
                         .gso_size = 1440}));
    exchange();
    CHECK(frame == b.received.at(0).bytes);
    CHECK_EQUAL(3u, b.received[0].slot_sizes.size());
}

TEST(DataPath, a_broadcast_goes_to_everyone_but_the_sender)
{
    const Bytes frame = frame_bytes(broadcast, a.mac, 60);
    CHECK(a.send(frame));
    exchange();
    CHECK_EQUAL(0u, a.received.size());
    CHECK(frame == b.received.at(0).bytes);
    CHECK(frame == c.received.at(0).bytes);
}

TEST(DataPath, what_has_another_source_address_is_dropped)
{
    CHECK(a.send(frame_bytes(b.mac, c.mac, 60)));
    exchange();
    CHECK_EQUAL(0u, b.received.size());
    CHECK_EQUAL(1u, a.tx_failed);
    CHECK_EQUAL(1u, count(0, Counter::spoofed_source));
}

TEST(DataPath, runts_and_frames_over_the_network_s_size_are_dropped)
{
    CHECK(a.send(Bytes(13)));
    CHECK(a.send(frame_bytes(b.mac, a.mac, 1519)));
    exchange();
    CHECK_EQUAL(1u, count(0, Counter::runt));
    CHECK_EQUAL(1u, count(0, Counter::oversized));
    CHECK_EQUAL(2u, a.tx_failed);
}

TEST(DataPath, an_unknown_address_without_an_uplink_is_counted)
{
    CHECK(a.send(frame_bytes(mac_of(9), a.mac, 60)));
    CHECK(a.send(frame_bytes(a.mac, a.mac, 60)));
    CHECK(a.send(frame_bytes(0x0e00'00c2'8001, a.mac, 60)));
    exchange();
    CHECK_EQUAL(1u, count(0, Counter::unknown_destination));
    CHECK_EQUAL(1u, count(0, Counter::own_address));
    CHECK_EQUAL(1u, count(0, Counter::link_local));
}

TEST(DataPath, a_source_that_cannot_be_read_fails_its_frame_only)
{
    CHECK(a.send(frame_bytes(b.mac, a.mac, 60)));
    CHECK(a.send(frame_bytes(b.mac, a.mac, 1000)));
    CHECK(a.send(frame_bytes(b.mac, a.mac, 61)));
    fake::grants.erase({a.domain, FakeGuest::tx_refs + 1});
    exchange();
    CHECK_EQUAL(2u, b.received.size());
    CHECK_EQUAL(2u, a.tx_done);
    CHECK_EQUAL(1u, a.tx_failed);
    CHECK_EQUAL(1u, count(0, Counter::grant_refused));
}

TEST(DataPath, a_source_that_vanishes_behind_its_header_gives_no_torn_frame)
{
    CHECK(a.send(frame_bytes(b.mac, a.mac, 9000), {.sizes = {66, 4000, 4000, 934}, .gso_type = 1, .gso_size = 1448}));
    fake::grants.erase({a.domain, FakeGuest::tx_refs + 3});
    exchange();
    CHECK_EQUAL(0u, b.received.size());
    CHECK_EQUAL(5u, b.rx_failed);
    CHECK_EQUAL(4u, a.tx_failed);
    CHECK_EQUAL(1u, count(0, Counter::grant_refused));
    CHECK_EQUAL(0u, count(1, Counter::target_refused));
}

TEST(DataPath, a_target_that_cannot_be_written_is_the_receiver_s_loss)
{
    fake::grants[{b.domain, FakeGuest::rx_refs}].writable = false;
    CHECK(a.send(frame_bytes(b.mac, a.mac, 60)));
    CHECK(a.send(frame_bytes(b.mac, a.mac, 70)));
    exchange();
    CHECK_EQUAL(1u, b.received.size());
    CHECK_EQUAL(1u, b.rx_failed);
    CHECK_EQUAL(2u, a.tx_done);
    CHECK_EQUAL(1u, count(1, Counter::target_refused));
}

TEST(DataPath, a_sender_waits_for_room_and_goes_on)
{
    box.connect(1);
    for (unsigned i = 0; i < 100; ++i)
        CHECK(a.send(frame_bytes(b.mac, a.mac, 60)));
    exchange();
    CHECK_EQUAL(100u, b.received.size());
    for (unsigned i = 0; i < 200; ++i)
        CHECK(a.send(frame_bytes(b.mac, a.mac, 60)));
    exchange();
    CHECK_EQUAL(256u, b.received.size());
    CHECK_EQUAL(256u, a.tx_done);
    CHECK_EQUAL(257u, b.rx->req_event);
    b.post();
    exchange();
    CHECK_EQUAL(300u, b.received.size());
    CHECK_EQUAL(0u, count(1, Counter::no_room));
}

TEST(DataPath, a_receiver_without_room_holds_its_senders_up_for_a_time_only)
{
    for (unsigned i = 0; i < 256; ++i)
        CHECK(a.send(frame_bytes(b.mac, a.mac, 60)));
    exchange();
    CHECK(a.send(frame_bytes(b.mac, a.mac, 60)));
    CHECK(a.send(frame_bytes(c.mac, a.mac, 60)));
    exchange();
    CHECK_EQUAL(0u, c.received.size());
    const auto deadline = box.path->next_deadline();
    CHECK(deadline.has_value());
    fake::now_ns = deadline->time_since_epoch().count();
    box.path->resume(*deadline);
    exchange();
    CHECK_EQUAL(1u, c.received.size());
    CHECK_EQUAL(1u, count(1, Counter::no_room));
}

TEST(DataPath, an_index_that_runs_away_cuts_the_card_off)
{
    a.tx->req_prod = 300;
    CHECK(c.send(frame_bytes(b.mac, c.mac, 60)));
    box.run();
    CHECK(box.vifs[0]->was_cut_off());
    CHECK_EQUAL(1u, count(0, Counter::cut_off));
    CHECK(b.pull());
    CHECK_EQUAL(1u, b.received.size());
}

TEST(DataPath, an_endless_chain_of_extra_infos_cuts_the_card_off)
{
    a.request({FakeGuest::tx_refs, 0, NETTXF_extra_info, 0, 60});
    for (unsigned i = 0; i < 200; ++i) {
        netif_extra_info_t extra{};
        extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
        extra.flags = XEN_NETIF_EXTRA_FLAG_MORE;
        a.put_extra(extra);
    }
    a.push();
    box.run();
    CHECK(box.vifs[0]->was_cut_off());
}

TEST(DataPath, too_many_slots_and_slots_over_the_page_cut_the_card_off)
{
    for (unsigned i = 0; i < 30; ++i)
        a.request({FakeGuest::tx_refs + i, 0, NETTXF_more_data, 0, 1000});
    a.push();
    c.request({FakeGuest::tx_refs, 4000, 0, 0, 200});
    c.push();
    box.run();
    CHECK(box.vifs[0]->was_cut_off());
    CHECK(box.vifs[2]->was_cut_off());
    CHECK_EQUAL(0u, b.rx->rsp_prod);
}

TEST(DataPath, sizes_that_do_not_add_up_make_an_error)
{
    a.request({FakeGuest::tx_refs, 0, NETTXF_more_data, 0, 100});
    a.request({FakeGuest::tx_refs + 1, 0, 0, 0, 200});
    a.push();
    exchange();
    CHECK_EQUAL(2u, a.tx_failed);
    CHECK_EQUAL(1u, count(0, Counter::malformed));
}

TEST(DataPath, a_receiver_s_index_that_runs_away_cuts_it_off)
{
    b.rx->req_prod = 1000;
    CHECK(a.send(frame_bytes(b.mac, a.mac, 60)));
    box.run();
    CHECK(box.vifs[1]->was_cut_off());
    CHECK(a.pull());
    CHECK_EQUAL(1u, a.tx_done);
}

TEST(DataPath, multicast_control_lets_through_what_was_asked_for)
{
    constexpr Mac group = 0x0100'005e'0001 | uint64_t{0xfb} << 40;
    box.vifs[1]->filters_groups = true;
    CHECK(a.send(frame_bytes(group, a.mac, 60)));
    exchange();
    CHECK_EQUAL(0u, b.received.size());
    CHECK_EQUAL(1u, count(1, Counter::filtered));

    b.request({0, 0, NETTXF_extra_info, 0, 0});
    netif_extra_info_t extra{};
    extra.type = XEN_NETIF_EXTRA_TYPE_MCAST_ADD;
    std::memcpy(extra.u.mcast.addr, &group, 6);
    b.put_extra(extra);
    b.push();
    exchange();
    CHECK_EQUAL(1u, b.tx_done);
    CHECK(a.send(frame_bytes(group, a.mac, 60)));
    exchange();
    CHECK_EQUAL(1u, b.received.size());

    // A new life of the switch knows it still.
    box.start();
    box.vifs[1]->filters_groups = true;
    CHECK(a.send(frame_bytes(group, a.mac, 60)));
    exchange();
    CHECK_EQUAL(2u, b.received.size());
}

}  // namespace bulkhead::net
