// SPDX-License-Identifier: BSD-2-Clause
// A box with two networks and the switch's hosts on them, started once a process as lwIP is: `lan0` has
// fixed addresses, a name, HTTP and diagnosis; `plant` asks for its address. What a host sends goes to
// `sent`, and on lan0 to a client's card too, whose lwIP is the same one.
#pragma once

#include "tests/unit/fakes/lwip_port.hpp"
#include "tests/unit/switch/fake_sources.hpp"
#include "tests/unit/switch/frames.hpp"
#include "tests/unit/switch/host_units.hpp"

#include <cstdarg>
#include <deque>
#include <optional>

#include <lwip/etharp.h>
#include <lwip/ethip6.h>

namespace bulkhead {

inline std::string printed;

void print(const char* format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    printed += line;
}

const char* name_of(Errno) { return "an error"; }

}  // namespace bulkhead

namespace bulkhead::net {

struct Card {
    netif interface{};
    std::deque<frames::Bytes> sent;     // the last ones
    std::deque<frames::Bytes> arriving;
    Card* peer = nullptr;

    static err_t output(netif* from, pbuf* frame)
    {
        auto& card = *static_cast<Card*>(from->state);
        frames::Bytes bytes(frame->tot_len);
        pbuf_copy_partial(frame, bytes.data(), frame->tot_len, 0);
        if (card.peer != nullptr)
            card.peer->arriving.push_back(bytes);
        card.sent.push_back(std::move(bytes));
        if (card.sent.size() > 64)
            card.sent.pop_front();
        return ERR_OK;
    }
    static err_t init(netif* interface)
    {
        interface->name[0] = 't';
        interface->mtu = 1500;
        interface->hwaddr_len = 6;
        interface->output = etharp_output;
        interface->output_ip6 = ethip6_output;
        interface->linkoutput = output;
        interface->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
        return ERR_OK;
    }
    void add(const frames::Mac& mac)
    {
        std::ranges::copy(mac, interface.hwaddr);
        netif_add_noaddr(&interface, this, init, netif_input);
        netif_set_link_up(&interface);
        netif_set_up(&interface);
    }
    void receive(const frames::Bytes& bytes)
    {
        if (bytes.empty())
            return;
        pbuf* frame = pbuf_alloc(PBUF_RAW, static_cast<u16_t>(bytes.size()), PBUF_POOL);
        if (frame == nullptr)
            return;
        pbuf_take(frame, bytes.data(), static_cast<u16_t>(bytes.size()));
        if (interface.input(frame, &interface) != ERR_OK)
            pbuf_free(frame);
    }
    bool deliver()
    {
        if (arriving.empty())
            return false;
        const frames::Bytes bytes = std::move(arriving.front());
        arriving.pop_front();
        receive(bytes);
        return true;
    }
    // The newest frame for which it is so.
    template <class Test>
    std::optional<frames::Bytes> find(Test test) const
    {
        const auto found = std::find_if(sent.rbegin(), sent.rend(), test);
        if (found == sent.rend())
            return {};
        return *found;
    }
};

inline constexpr frames::Mac lan_mac{2, 0, 0, 0, 0, 1};
inline constexpr frames::Mac plant_mac{2, 0, 0, 0, 0, 2};
inline constexpr frames::Mac client_mac{2, 0, 0, 0, 0, 3};
inline constexpr frames::Mac other_mac{2, 0, 0, 0, 0, 4};
inline constexpr uint32_t lan_address = 0x0a00020f;
inline constexpr uint32_t client_address = 0x0a000202;

class HostBox {
public:
    FakeFigures figures;
    FakeBox box;
    Card lan, plant, client;

    static HostBox& get()
    {
        static HostBox the_box;
        return the_box;
    }
    void deliver()
    {
        while (lan.deliver() || plant.deliver() || client.deliver()) {
        }
    }
    void run(unsigned milliseconds)
    {
        for (unsigned passed = 0; passed < milliseconds; passed += 10) {
            deliver();
            lwip_host::pass(10);
            box.figures.uptime_ns += 10'000'000;
        }
        deliver();
    }

private:
    HostBox()
    {
        lwip_host::start_once();
        started_lan = init_slice(build_slice());
        lan.add(lan_mac);
        plant.add(plant_mac);
        client.add(client_mac);
        ip4_addr_t address, mask, none{};
        IP4_ADDR(&address, 10, 0, 2, 2);
        IP4_ADDR(&mask, 255, 255, 255, 0);
        netif_set_addr(&client.interface, &address, &mask, &none);
        lan.peer = &client;
        client.peer = &lan;
        start_hosts(figures, box);
        const SliceNode networks = slice().child("networks");
        started_lan = started_lan && add_host(lan.interface, networks.child("lan0")).has_value();
        started_plant = add_host(plant.interface, networks.child("plant")).has_value();
    }
    std::span<const std::byte> build_slice()
    {
        void* at = tree;
        fdt_create(at, sizeof(tree));
        fdt_finish_reservemap(at);
        fdt_begin_node(at, "");
        fdt_begin_node(at, "networks");
        fdt_begin_node(at, "lan0");
        fdt_property_string(at, "address", "10.0.2.15/24");
        fdt_property_string(at, "gateway", "10.0.2.2");
        fdt_property_string(at, "ipv6", "slaac");
        fdt_property_string(at, "host-name", "edge");
        fdt_begin_node(at, "diagnosis");
        fdt_property_u32(at, "port", 7777);
        fdt_property(at, "from", "10.0.2.2\0fd00::/8", 18);
        fdt_end_node(at);
        fdt_end_node(at);
        fdt_begin_node(at, "plant");
        fdt_property_string(at, "address", "dhcp");
        fdt_property_string(at, "ipv6", "fd00:1::7/64");
        fdt_property_u32(at, "http", 8080);
        fdt_property_string(at, "host-name", "edge");
        fdt_end_node(at);
        fdt_end_node(at);
        fdt_end_node(at);
        fdt_finish(at);
        return {tree, fdt_totalsize(at)};
    }
    alignas(8) std::byte tree[4096];

public:
    bool started_lan = false;
    bool started_plant = false;
};

}  // namespace bulkhead::net
