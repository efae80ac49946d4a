// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: frames from anybody to the switch's own hosts, one of which has a fixed address and one
// asks a DHCP server for it. Whatever comes, lwIP and the hosts go on, and the host answers ARP afterwards.
// Checksums are not looked at, so that more gets through.
//
// Input: operations of one byte and their data: a frame as it is, or one of the kinds that the hosts speak
// with its first bytes put right; or time passes.
#include "tests/unit/switch/host_box.hpp"

namespace {

using namespace bulkhead::net;

void require(bool condition)
{
    if (!condition)
        __builtin_trap();
}

struct Input {
    const uint8_t* data;
    size_t size;

    uint8_t byte()
    {
        if (size == 0)
            return 0;
        --size;
        return *data++;
    }
    frames::Bytes bytes(size_t length)
    {
        length = std::min(length, size);
        frames::Bytes bytes(data, data + length);
        data += length;
        size -= length;
        return bytes;
    }
};

HostBox& box()
{
    HostBox& the_box = HostBox::get();
    NETIF_SET_CHECKSUM_CTRL(&the_box.lan.interface, 0x00ff);
    NETIF_SET_CHECKSUM_CTRL(&the_box.plant.interface, 0x00ff);
    return the_box;
}

uint32_t address_of(Card& card)
{
    return &card == &box().lan ? lan_address : lwip_ntohl(netif_ip4_addr(&card.interface)->addr);
}

frames::Bytes to(Card& card, unsigned type, const frames::Bytes& payload)
{
    return frames::ethernet(&card == &box().lan ? lan_mac : plant_mac, other_mac, type, payload);
}

// With the transaction that the host's DHCP client waits for.
frames::Bytes dhcp_answer(Input& input)
{
    frames::Bytes reply{2, 1, 6, 0};
    const dhcp* state = netif_dhcp_data(&box().plant.interface);
    frames::put32(reply, state != nullptr ? state->xid : 0);
    frames::put_all(reply, input.bytes(20));
    reply.resize(28);
    frames::put_all(reply, plant_mac);
    reply.resize(236);
    frames::put32(reply, 0x63825363);
    frames::put(reply, {53, 1, input.byte() % 8u});
    frames::put_all(reply, input.bytes(input.byte()));
    return reply;
}

frames::Bytes ip6(Input& input, unsigned next, const frames::Bytes& payload)
{
    frames::Bytes packet{0x60, 0, 0, 0};
    frames::put16(packet, static_cast<unsigned>(payload.size()));
    frames::put(packet, {next, 255, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4});
    frames::put(packet, {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, input.byte()});
    frames::put_all(packet, payload);
    return packet;
}

void act(Input& input)
{
    const uint8_t operation = input.byte();
    Card& card = (operation & 0x80) != 0 ? box().plant : box().lan;
    const uint32_t from = (operation & 0x40) != 0 ? 0x0a000202 : 0x0a000263;
    switch (operation & 15) {
    case 0: card.receive(input.bytes(size_t{input.byte()} * 6)); break;
    case 1: card.receive(to(card, 0x806, input.bytes(28))); break;
    case 2: card.receive(to(card, 0x800, frames::ip4(1, from, address_of(card), input.bytes(input.byte())))); break;
    case 3: card.receive(to(card, 0x800, frames::ip4(6, from, address_of(card), input.bytes(input.byte())))); break;
    case 4: card.receive(to(card, 0x800, frames::ip4(2, from, 0xe00000fb, input.bytes(input.byte())))); break;
    case 5: {       // mDNS
        const frames::Bytes message = input.bytes(size_t{input.byte()} * 3);
        card.receive(frames::ethernet({1, 0, 0x5e, 0, 0, 0xfb}, other_mac, 0x800,
                                      frames::ip4(17, from, 0xe00000fb, frames::udp(5353, 5353, message))));
        break;
    }
    case 6: {
        const frames::Bytes reply = dhcp_answer(input);
        box().plant.receive(frames::ethernet({255, 255, 255, 255, 255, 255}, other_mac, 0x800,
                                             frames::ip4(17, 0xc0a80101, 0xffffffff, frames::udp(67, 68, reply))));
        break;
    }
    case 7: card.receive(to(card, 0x86dd, ip6(input, 58, input.bytes(input.byte())))); break;
    case 8: card.receive(to(card, 0x86dd, ip6(input, 17, frames::udp(5353, 5353, input.bytes(input.byte()))))); break;
    case 9: card.receive(to(card, 0x86dd, ip6(input, input.byte(), input.bytes(input.byte())))); break;
    case 10: card.receive(to(card, 0x86dd, input.bytes(size_t{input.byte()} * 4))); break;
    case 11: {      // a fragment of something
        frames::Bytes packet = frames::ip4(17, from, address_of(card), input.bytes(input.byte()));
        packet[5] = input.byte() % 4;
        packet[6] = input.byte() & 0x3f;
        packet[7] = input.byte();
        card.receive(to(card, 0x800, packet));
        break;
    }
    case 12: {      // a segment for a port that listens
        frames::Bytes segment = input.bytes(input.byte());
        segment.resize(std::max<size_t>(segment.size(), 20));
        segment[0] = 0x90;
        segment[2] = (operation & 0x20) != 0 ? 0x1e : 0;
        segment[3] = (operation & 0x20) != 0 ? 0x61 : 80;
        card.receive(to(card, 0x800, frames::ip4(6, from, address_of(card), segment)));
        break;
    }
    case 13: box().run(10u * input.byte()); break;
    case 14: box().run(1000u * (input.byte() % 64)); break;
    default: card.receive(frames::ethernet({255, 255, 255, 255, 255, 255}, other_mac, input.byte() * 0x101u,
                                           input.bytes(input.byte())));
    }
}

// Everything that waits has been given up, and the host is there.
void require_life()
{
    box().run(200'000);
    frames::Bytes request;
    frames::put16(request, 1);
    frames::put16(request, 0x800);
    frames::put(request, {6, 4, 0, 1});
    frames::put_all(request, client_mac);
    frames::put32(request, 0x0a000202);
    frames::put(request, {0, 0, 0, 0, 0, 0});
    frames::put32(request, lan_address);
    box().lan.sent.clear();
    box().lan.receive(frames::ethernet({255, 255, 255, 255, 255, 255}, client_mac, 0x806, request));
    require(box().lan.find([](const frames::Bytes& frame) { return frame[12] == 8 && frame[13] == 6 && frame[21] == 2; })
                .has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    for (Input input{data, size}; input.size != 0;)
        act(input);
    require_life();
    bulkhead::printed.clear();
    return 0;
}
