// SPDX-License-Identifier: BSD-2-Clause
// The network card's front end, with a back end that is correct, slow, gone, or hostile.
#include "tests/unit/net/front_box.hpp"

#include <CppUTest/TestHarness.h>

namespace {

using namespace bulkhead;
using namespace std::string_literals;
using Piece = FrontBox::Piece;
using std::chrono::milliseconds;

#define SAYS(expected, ...) STRCMP_EQUAL(expected, std::string(__VA_ARGS__).c_str())

// What reaches lwIP.
std::vector<std::string> frames;
std::vector<pbuf*> kept;
u16_t checks;
bool keep;

err_t take(pbuf* frame, netif* interface)
{
    std::string bytes(frame->tot_len, '\0');
    pbuf_copy_partial(frame, bytes.data(), frame->tot_len, 0);
    frames.push_back(bytes);
    checks = interface->chksum_flags;
    if (keep)
        kept.push_back(frame);
    else
        pbuf_free(frame);
    return ERR_OK;
}

void free_kept()
{
    for (pbuf* frame : std::exchange(kept, {}))
        pbuf_free(frame);
}

std::string pattern(size_t bytes, unsigned seed = 0)
{
    std::string text(bytes, '\0');
    for (size_t i = 0; i < bytes; ++i)
        text[i] = static_cast<char>(seed + i * 7 + i / 256);
    return text;
}

// An Ethernet frame with that much behind its header.
std::string ethernet(const std::string& payload) { return "\2\0\0\0\0\x0a\2\0\0\0\0\x0b\x88\xb5"s + payload; }

}  // namespace

TEST_GROUP(Netfront)
{
    FrontBox box;

    void setup() override
    {
        frames.clear();
        keep = false;
    }
    void teardown() override { free_kept(); }
    void connect()
    {
        CHECK(box.connect());
        box.card->interface().input = take;
    }
    [[nodiscard]] const net::NetfrontCounters& counters() const { return box.card->counters(); }
    err_t send(const std::string& bytes)
    {
        pbuf* frame = pbuf_alloc(PBUF_RAW, static_cast<u16_t>(bytes.size()), PBUF_RAM);
        pbuf_take(frame, bytes.data(), static_cast<u16_t>(bytes.size()));
        const err_t done = box.card->interface().linkoutput(&box.card->interface(), frame);
        pbuf_free(frame);
        return done;
    }
    void expect_broken()
    {
        CHECK_EQUAL(1u, counters().broken);
        box.pass(milliseconds(0));
        CHECK(!box.card->is_connected());
        CHECK(!netif_is_link_up(&box.card->interface()));
        SAYS("6", box.front("state"));
        // And again, once the back end has let go.
        box.state(XenbusStateClosed);
        SAYS("1", box.front("state"));
        CHECK(box.connect());
        box.put_frame({{"again"}});
        box.rx_event();
        SAYS("again", frames.back());
    }
};

TEST(Netfront, connects_when_the_back_end_waits_for_it)
{
    CHECK(box.open().has_value());
    SAYS("1", box.front("state"));
    CHECK(netif_is_up(&box.card->interface()));
    connect();
    CHECK(netif_is_link_up(&box.card->interface()));
    CHECK_EQUAL(0x0a, box.card->interface().hwaddr[5]);
    CHECK_EQUAL(1500, box.card->interface().mtu);
    for (const char* one : {"request-rx-copy", "feature-rx-notify", "feature-sg", "feature-gso-tcpv4",
                            "feature-gso-tcpv6", "feature-ipv6-csum-offload"})
        SAYS("1", box.front(one));
    CHECK(box.front_number("event-channel-tx") != box.front_number("event-channel-rx"));
    CHECK_EQUAL(128u, box.rx_requests());
    // The back end may write where frames arrive, and nowhere else.
    size_t writable = 0;
    for (const auto& [ref, granted] : fake::grants) {
        CHECK(granted.to == Domain{2});
        writable += granted.access == Access::writable;
    }
    CHECK_EQUAL(128u + 2, writable);
    CHECK_EQUAL(128u + 2 + 64, fake::grants.size());
}

TEST(Netfront, needs_a_card_in_the_store)
{
    const auto none = net::Netfront::open(box.store, 1);
    CHECK(!none && none.error() == XEN_ENOENT);
    box.box.write(0, "device/vif/0/mac", "03:00:00:00:00:00");
    const auto multicast = net::Netfront::open(box.store, 0);
    CHECK(!multicast && multicast.error() == XEN_EINVAL);
}

TEST(Netfront, waits_for_a_back_end_that_can_copy)
{
    box.set("feature-rx-copy", "0");
    CHECK(box.open().has_value());
    box.state(XenbusStateInitWait);
    CHECK(!box.card->is_connected());
    STRCMP_CONTAINS("EOPNOTSUPP", fake::printed.back().c_str());
    const size_t lines = fake::printed.size();
    for (int i = 0; i < 5; ++i)
        box.pass(milliseconds(1000));
    CHECK_EQUAL(lines, fake::printed.size());
    box.set("feature-rx-copy", "1");
    box.pass(milliseconds(1000));
    CHECK(box.card->is_connected());
}

TEST(Netfront, tries_again_when_there_are_too_few_grants)
{
    fake::most_grants = 50;
    CHECK(box.open().has_value());
    box.state(XenbusStateInitWait);
    SAYS("1", box.front("state"));
    fake::most_grants = 1000;
    box.pass(milliseconds(1000));
    CHECK(box.card->is_connected());
    CHECK_EQUAL(128u + 2 + 64, fake::grants.size());
}

TEST(Netfront, shares_one_event_channel_with_an_old_back_end)
{
    box.set("feature-split-event-channels", "0");
    connect();
    CHECK_EQUAL(1u, fake::ports.size());
    box.put_frame({{"frame"}});
    box.event("event-channel");
    SAYS("frame", frames.back());
}

TEST(Netfront, sends_frames_and_uses_buffers_again)
{
    connect();
    const auto port = box.front_number("event-channel-tx");
    for (unsigned i = 0; i < 1000; ++i) {
        const std::string frame = ethernet(pattern(60 + i, i));
        CHECK_EQUAL(ERR_OK, send(frame));
        CHECK(box.take_frame() == frame);
        if (i % 8 == 0)
            box.tx_event();
    }
    CHECK_EQUAL(1000u, counters().tx_frames);
    CHECK(fake::notified[port] != 0);
}

TEST(Netfront, sends_a_long_frame_in_several_slots)
{
    connect();
    const std::string frame = ethernet(pattern(9000));
    CHECK_EQUAL(ERR_OK, send(frame));
    CHECK(box.take_frame() == frame);
    CHECK_EQUAL(frame.size(), box.whole);
    CHECK_EQUAL(ERR_VAL, send({}));
}

TEST(Netfront, sends_none_of_a_long_frame_to_who_cannot_gather)
{
    box.set("feature-sg", "0");
    connect();
    CHECK_EQUAL(ERR_VAL, send(ethernet(pattern(5000))));
    CHECK_EQUAL(box.tx_taken, box.tx->req_prod);
}

TEST(Netfront, drops_and_counts_what_does_not_fit)
{
    connect();
    unsigned sent = 0;
    while (send("frame") == ERR_OK)
        ++sent;
    CHECK_EQUAL(64u, sent);
    CHECK_EQUAL(1u, counters().tx_full);
    while (!box.take_frame(NETIF_RSP_DROPPED).empty()) {
    }
    CHECK_EQUAL(ERR_OK, send("frame"));
    CHECK_EQUAL(64u, counters().tx_refused);
}

TEST(Netfront, leaves_tcp_checksums_to_the_back_end)
{
    connect();
    CHECK((box.card->interface().chksum_flags & NETIF_CHECKSUM_GEN_TCP) == 0);
    CHECK((box.card->interface().chksum_flags & NETIF_CHECKSUM_GEN_UDP) != 0);
    // 10.0.0.1 to 10.0.0.2, 20 bytes of TCP.
    std::string frame = "\2\0\0\0\0\x0a\2\0\0\0\0\x0b\x08\0"s + "\x45\0\0\x28\0\0\0\0\x40\x06\0\0\x0a\0\0\1\x0a\0\0\2"s +
                        std::string(20, '\0');
    CHECK_EQUAL(ERR_OK, send(frame));
    unsigned flags = 0;
    const std::string out = box.take_frame(NETIF_RSP_OKAY, &flags);
    CHECK_EQUAL(unsigned{NETTXF_csum_blank | NETTXF_data_validated}, flags);
    // 0a00 + 0001 + 0a00 + 0002 + 6 + 20
    CHECK_EQUAL(0x141d, static_cast<uint8_t>(out[50]) << 8 | static_cast<uint8_t>(out[51]));
    // UDP's is lwIP's.
    frame[23] = 17;
    CHECK_EQUAL(ERR_OK, send(frame));
    CHECK(box.take_frame(NETIF_RSP_OKAY, &flags) == frame);
    CHECK_EQUAL(0u, flags);
}

TEST(Netfront, computes_checksums_for_a_back_end_that_does_not)
{
    box.set("feature-no-csum-offload", "1");
    connect();
    CHECK((box.card->interface().chksum_flags & NETIF_CHECKSUM_GEN_TCP) != 0);
}

TEST(Netfront, receives_frames_of_one_piece_and_of_many)
{
    connect();
    box.put_frame({{pattern(60)}});
    box.put_frame({{pattern(4096)}, {pattern(4096, 1)}, {pattern(100, 2), 1000}});
    box.rx_event();
    CHECK_EQUAL(2u, frames.size());
    CHECK(frames[0] == pattern(60));
    CHECK(frames[1] == pattern(4096) + pattern(4096, 1) + pattern(100, 2));
    CHECK_EQUAL(128u, box.rx_requests());       // every buffer is there again
    CHECK_EQUAL(2u, counters().rx_frames);
}

TEST(Netfront, receives_a_gso_frame_of_64_kib)
{
    connect();
    std::string all;
    box.put_piece({pattern(4000)}, NETRXF_extra_info | NETRXF_more_data | NETRXF_csum_blank | NETRXF_data_validated);
    all += pattern(4000);
    netif_extra_info gso{};
    gso.type = XEN_NETIF_EXTRA_TYPE_GSO;
    gso.u.gso.size = 1448;
    gso.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
    box.put_extra(gso);
    for (unsigned i = 0; i < 15; ++i) {
        box.put_piece({pattern(4096, i)}, i < 14 ? NETRXF_more_data : 0u);
        all += pattern(4096, i);
    }
    box.rx_event();
    CHECK_EQUAL(1u, frames.size());
    CHECK(frames[0] == all);
    CHECK_EQUAL(128u, box.rx_requests());
}

TEST(Netfront, believes_the_back_end_about_checksums)
{
    connect();
    box.put_frame({{pattern(60)}});
    box.rx_event();
    CHECK((checks & NETIF_CHECKSUM_CHECK_TCP) != 0);
    box.put_frame({{pattern(60)}}, NETRXF_csum_blank | NETRXF_data_validated);
    box.rx_event();
    CHECK((checks & (NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP)) == 0);
    CHECK((checks & NETIF_CHECKSUM_CHECK_IP) != 0);
    CHECK((box.card->interface().chksum_flags & NETIF_CHECKSUM_CHECK_TCP) != 0);
    // But not of a fragment.
    std::string fragment = "\2\0\0\0\0\x0a\2\0\0\0\0\x0b\x08\0"s + "\x45\0\0\x28\0\0\x20\0\x40\x06\0\0\x0a\0\0\1\x0a\0\0\2"s;
    box.put_frame({{fragment}}, NETRXF_data_validated);
    box.rx_event();
    CHECK((checks & NETIF_CHECKSUM_CHECK_TCP) != 0);
}

TEST(Netfront, reads_only_pages_that_are_its_own)
{
    connect();
    const auto request = box.slot(box.rx, box.rx_taken).req;
    box.put_frame({{"frame"}});
    fake::grants.at(request.gref).held = true;
    box.rx_event();
    CHECK(frames.empty());
    CHECK_EQUAL(1u, counters().rx_held);
    // It goes on with the others.
    box.put_frame({{"another"}});
    box.rx_event();
    SAYS("another", frames.back());
    CHECK_EQUAL(127u, box.rx_requests());
}

TEST(Netfront, gives_pages_back_when_lwip_has_done_with_them)
{
    connect();
    keep = true;
    for (int i = 0; i < 100; ++i)
        box.put_frame({{pattern(60)}});
    box.rx_event();
    box.pass(milliseconds(0));
    CHECK_EQUAL(100u, frames.size());
    CHECK_EQUAL(28u, box.rx_requests());
    CHECK_EQUAL(28u + 2 + 64, fake::grants.size());
    free_kept();
    CHECK(box.rx_requests() > 128 - 16);
}

TEST(Netfront, takes_so_many_frames_at_once_and_the_rest_later)
{
    connect();
    for (int i = 0; i < 100; ++i)
        box.put_frame({{pattern(60)}});
    box.rx_event();
    CHECK_EQUAL(64u, frames.size());
    box.pass(milliseconds(0));
    CHECK_EQUAL(100u, frames.size());
}

TEST(Netfront, waits_for_the_rest_of_a_frame)
{
    connect();
    box.put_piece({"first "}, NETRXF_more_data);
    box.rx_event();
    CHECK(frames.empty());
    CHECK(static_cast<int32_t>(box.rx->rsp_event - box.rx->rsp_prod) > 0);
    box.put_piece({"second"}, 0);
    box.rx_event();
    SAYS("first second", frames.at(0));
}

TEST(Netfront, drops_malformed_frames_and_goes_on)
{
    connect();
    const auto spoil = [this](auto change) {
        box.put_frame({{pattern(60)}, {pattern(60)}});
        auto& second = box.slot(box.rx, box.rx->rsp_prod - 1).rsp;
        change(second);
        box.rx_event();
    };
    spoil([](auto& slot) { slot.status = 0; });
    spoil([](auto& slot) { slot.offset = 4040; });
    spoil([](auto& slot) { slot.offset = 0xffff; });
    spoil([](auto& slot) { slot.status = 0x7fff; });
    spoil([](auto& slot) { slot.id = static_cast<uint16_t>(slot.id + 1); });
    CHECK_EQUAL(5u, counters().rx_malformed);
    spoil([](auto& slot) { slot.status = NETIF_RSP_ERROR; });
    CHECK_EQUAL(1u, counters().rx_refused);
    CHECK(frames.empty());
    CHECK_EQUAL(128u, box.rx_requests());
    // More than 64 KiB in slots that are right, each by itself.
    std::vector<Piece> pieces(17, Piece{pattern(4096)});
    box.put_frame(pieces);
    box.rx_event();
    CHECK(frames.empty());
    CHECK_EQUAL(6u, counters().rx_malformed);
    box.put_frame({{"good"}});
    box.rx_event();
    SAYS("good", frames.at(0));
    CHECK_EQUAL(128u, box.rx_requests());
}

TEST(Netfront, leaves_a_back_end_with_an_endless_frame)
{
    connect();
    for (int i = 0; i < 20; ++i)
        box.put_piece({pattern(60)}, NETRXF_more_data);
    box.rx_event();
    CHECK(frames.empty());
    expect_broken();
}

TEST(Netfront, leaves_a_back_end_with_endless_extras)
{
    connect();
    box.put_piece({pattern(60)}, NETRXF_extra_info);
    netif_extra_info extra{};
    extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
    extra.flags = XEN_NETIF_EXTRA_FLAG_MORE;
    for (int i = 0; i < 5; ++i)
        box.put_extra(extra);
    box.rx_event();
    expect_broken();
}

TEST(Netfront, leaves_a_back_end_with_unknown_extras)
{
    connect();
    box.put_piece({pattern(60)}, NETRXF_extra_info);
    netif_extra_info extra{};
    extra.type = XEN_NETIF_EXTRA_TYPE_MAX;
    box.put_extra(extra);
    box.rx_event();
    expect_broken();
}

TEST(Netfront, leaves_a_back_end_whose_positions_run_away)
{
    connect();
    box.rx->rsp_prod = box.rx->req_prod + 1;
    box.rx_event();
    expect_broken();
}

TEST(Netfront, leaves_a_back_end_that_answers_what_was_not_sent)
{
    connect();
    CHECK_EQUAL(ERR_OK, send("one"));
    CHECK_EQUAL(ERR_OK, send("two"));
    box.take_frame();
    box.slot(box.tx, 1).rsp = box.slot(box.tx, 0).rsp;
    ++box.tx->rsp_prod;
    box.tx_event();
    expect_broken();
}

TEST(Netfront, leaves_a_back_end_that_answers_an_impossible_number)
{
    connect();
    CHECK_EQUAL(ERR_OK, send("one"));
    box.slot(box.tx, 0).rsp = {0xffff, 0};
    ++box.tx->rsp_prod;
    box.tx_event();
    expect_broken();
}

TEST(Netfront, lets_go_when_the_back_end_closes_and_comes_again)
{
    connect();
    keep = true;
    box.put_frame({{"kept"}});
    box.rx_event();
    CHECK_EQUAL(ERR_OK, send("under way"));
    const auto held = box.front_number("tx-ring-ref");
    fake::grants.at(held).held = true;
    box.state(XenbusStateClosing);
    SAYS("6", box.front("state"));
    CHECK(fake::ports.empty());
    CHECK_EQUAL(1u, fake::grants.size());
    CHECK_EQUAL(ERR_MEM, send("no link"));
    // As long as the back end holds a page nothing is used anew.
    box.state(XenbusStateClosed);
    box.state(XenbusStateInitWait);
    box.pass(milliseconds(100));
    CHECK(!box.card->is_connected());
    fake::grants.at(held).held = false;
    box.pass(milliseconds(100));
    CHECK(box.card->is_connected());
    connect();
    CHECK_EQUAL(127u, box.rx_requests());
    box.put_frame({{"new"}});
    box.rx_event();
    SAYS("new", frames.back());
    free_kept();
    CHECK_EQUAL(2u, counters().connected);
}

TEST(Netfront, follows_a_back_end_that_has_begun_anew)
{
    connect();
    box.state(XenbusStateInitWait);         // its domain was restarted
    CHECK_EQUAL(2u, counters().connected);
    CHECK(box.card->is_connected());
}

TEST(Netfront, survives_a_back_end_that_vanishes)
{
    connect();
    box.box.ask(1, XS_RM, std::string(FrontBox::backend) + "\0"s);
    box.settle();
    CHECK(!box.card->is_connected());
}
