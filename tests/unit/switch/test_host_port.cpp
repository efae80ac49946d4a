// SPDX-License-Identifier: BSD-2-Clause
// The switch's own host as a port: frames from rings to lwIP and back, and the figures of it all.
#include "pvdrivers/switch/host/host_port.hpp"

#include "pvdrivers/switch/host/host_port.cpp"
#include "pvdrivers/switch/host/switch_figures.cpp"
#include "tests/unit/fakes/lwip_port.hpp"
#include "tests/unit/switch/frames.hpp"
#include "tests/unit/switch/switch_box.hpp"
#include "tests/unit/switch/units.hpp"

#include <CppUTest/TestHarness.h>

namespace bulkhead::net {

namespace {

std::vector<Bytes> arrived;
std::vector<pbuf*> held;
bool hold;

err_t capture(pbuf* data, netif*)
{
    Bytes bytes(data->tot_len);
    pbuf_copy_partial(data, bytes.data(), data->tot_len, 0);
    arrived.push_back(std::move(bytes));
    if (hold)
        held.push_back(data);
    else
        pbuf_free(data);
    return ERR_OK;
}

HostBuffers& buffers()
{
    static HostBuffers the_buffers;
    static const bool opened = the_buffers.open().has_value();
    CHECK(opened);
    return the_buffers;
}

}  // namespace

// clang-format off
TEST_GROUP(HostPort)
{
    SwitchBox box{some_cards(2)};
    FakeGuest& a = *box.guests[0];
    std::unique_ptr<HostPort> host;
    const Mac mac = mac_of(200);

    void setup() override
    {
        lwip_host::start_once();
        arrived.clear();
        hold = false;
        for (auto& guest : box.guests)
            guest->post();
        host = std::make_unique<HostPort>(*box.bridge, mac, box.path->copies, buffers());
        CHECK(host->open().has_value());
        drain();
    }
    void teardown() override
    {
        for (pbuf* data : held)
            pbuf_free(data);
        held.clear();
        netif_remove(&host->card());
    }
    // What it says of itself when it comes up.
    void drain()
    {
        box.run();
        box.pull();
        for (auto& guest : box.guests) {
            guest->received.clear();
            guest->post();
        }
    }
    void exchange()
    {
        box.run();
        while (host->turn())
            box.run();
        CHECK(box.pull());
    }
};
// clang-format on

TEST(HostPort, gets_frames_of_every_length_whole)
{
    host->card().input = capture;
    for (uint32_t bytes = 14; bytes <= 60'000; bytes += bytes < 4200 ? 101 : 5003) {
        const Bytes frame = frame_bytes(mac, a.mac, bytes);
        std::vector<uint16_t> sizes;
        for (uint32_t left = bytes; left != 0; left -= sizes.back())
            sizes.push_back(static_cast<uint16_t>(std::min<uint32_t>(left, sizes.empty() ? 70 : 4096)));
        const uint8_t gso = bytes > 1514 ? XEN_NETIF_GSO_TYPE_TCPV4 : XEN_NETIF_GSO_TYPE_NONE;
        CHECK(a.send(frame, {.sizes = sizes, .gso_type = gso, .gso_size = 1448}));
        exchange();
        CHECK_TEXT(!arrived.empty(), std::to_string(bytes).c_str());
        CHECK(frame == arrived.back());
        arrived.clear();
    }
    CHECK_EQUAL(HostBuffers::pieces, buffers().free());
    CHECK_EQUAL(a.tx_failed, 0u);
}

TEST(HostPort, answers_a_ping_through_the_rings)
{
    ip4_addr_t address, mask, none{};
    IP4_ADDR(&address, 10, 0, 2, 15);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    netif_set_addr(&host->card(), &address, &mask, &none);
    drain();
    const uint64_t before = host->in.frames;
    frames::Mac to, from;
    std::memcpy(to.data(), &mac, 6);
    std::memcpy(from.data(), &a.mac, 6);
    frames::Bytes request;
    frames::put16(request, 1);
    frames::put16(request, 0x800);
    frames::put(request, {6, 4, 0, 1});
    frames::put_all(request, from);
    frames::put32(request, 0x0a000201);
    frames::put(request, {0, 0, 0, 0, 0, 0});
    frames::put32(request, 0x0a00020f);
    CHECK(a.send(frames::ethernet({255, 255, 255, 255, 255, 255}, from, 0x806, request)));
    exchange();
    CHECK_EQUAL(1u, a.received.size());
    CHECK(a.send(frames::ethernet(to, from, 0x800, frames::ip4(1, 0x0a000201, 0x0a00020f, frames::icmp_echo("are you there")))));
    exchange();
    CHECK_EQUAL(2u, a.received.size());
    CHECK(frames::contains(a.received[1].bytes, "are you there"));
    CHECK_EQUAL(before + 2, host->in.frames);
    CHECK(box.guests[1]->received.size() == 1);     // the broadcast
}

TEST(HostPort, drops_a_frame_that_could_not_be_read)
{
    host->card().input = capture;
    fake::grants.erase({a.domain, FakeGuest::tx_refs + 1});
    CHECK(a.send(frame_bytes(mac, a.mac, 1000), {.sizes = {200, 800}}));
    exchange();
    CHECK(arrived.empty());
    CHECK_EQUAL(0u, host->out.frames);
    CHECK_EQUAL(HostBuffers::pieces, buffers().free());
}

TEST(HostPort, counts_what_it_has_no_buffers_for_and_recovers)
{
    host->card().input = capture;
    hold = true;
    for (size_t i = 0; i < HostBuffers::pieces + 5; ++i) {
        CHECK(a.send(frame_bytes(mac, a.mac, 60)));
        exchange();
    }
    CHECK_EQUAL(HostBuffers::pieces, arrived.size());
    CHECK_EQUAL(5u, host->counters[Counter::no_room]);
    for (pbuf* data : held)
        pbuf_free(data);
    held.clear();
    CHECK(a.send(frame_bytes(mac, a.mac, 60)));
    exchange();
    CHECK_EQUAL(HostBuffers::pieces + 1, arrived.size());
}

TEST(HostPort, listens_to_few_groups)
{
    CHECK(host->wants_group(broadcast));
    CHECK(host->wants_group(0xfb00'005e'0001));
    CHECK(host->wants_group(0x0100'0000'3333));
    CHECK_FALSE(host->wants_group(0x0200'005e'0001));
}

TEST(HostPort, sends_nothing_that_no_frame_can_be)
{
    pbuf* data = pbuf_alloc(PBUF_RAW, 5000, PBUF_RAM);
    CHECK_EQUAL(ERR_BUF, host->card().linkoutput(&host->card(), data));
    pbuf_free(data);
    data = pbuf_alloc(PBUF_RAW, 8, PBUF_RAM);
    CHECK_EQUAL(ERR_BUF, host->card().linkoutput(&host->card(), data));
    pbuf_free(data);
}

TEST(HostPort, is_in_the_figures_with_all_other_ports)
{
    std::array<Bridge*, 1> bridges{box.bridge.get()};
    const SwitchFigures figures(bridges);
    CHECK_EQUAL(1u, figures.networks());
    CHECK_EQUAL(3u, figures.ports());
    CHECK(figures.port(0).name == "a/0" && figures.port(0).kind == PortKind::vif);
    CHECK(figures.port(2).name == "host" && figures.port(2).kind == PortKind::host);
    CHECK_EQUAL(figures.counter_names().size(), figures.port(2).counters.size());
    std::vector<std::string_view> ports;
    FdbFigures entry;
    for (size_t position = figures.next_fdb(0, entry); position != 0; position = figures.next_fdb(position, entry)) {
        ports.push_back(entry.port);
        CHECK(entry.fixed && entry.network == "lan0");
    }
    std::ranges::sort(ports);
    CHECK_EQUAL(3u, ports.size());
    CHECK(ports[0] == "a/0" && ports[1] == "b/0" && ports[2] == "host");
    CHECK_EQUAL(3u, figures.network(0).fdb_entries);
}

}  // namespace bulkhead::net
