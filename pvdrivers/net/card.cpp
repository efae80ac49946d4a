// SPDX-License-Identifier: BSD-2-Clause
// A card as a program wants it: lwIP, the front end, and the addresses that the plan gives.
#include "pvdrivers/net/netfront.hpp"
#include "pvdrivers/net/stack.hpp"

#include <bulkhead/console.hpp>
#include <bulkhead/net.hpp>
#include <bulkhead/slice.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include <lwip/dhcp.h>
#include <lwip/ip_addr.h>

namespace bulkhead::net {

namespace {

// An address, and a prefix behind a slash if there is one.
bool parse_address(std::string_view text, ip_addr_t& address, unsigned& prefix)
{
    const size_t slash = text.find('/');
    if (slash != std::string_view::npos) {
        const std::string_view number = text.substr(slash + 1);
        const auto [end, error] = std::from_chars(number.begin(), number.end(), prefix);
        if (error != std::errc{} || end != number.end())
            return false;
        text = text.substr(0, slash);
    }
    char copy[IPADDR_STRLEN_MAX]{};
    if (text.size() >= sizeof(copy))
        return false;
    std::copy(text.begin(), text.end(), copy);
    return ipaddr_aton(copy, &address) != 0;
}

bool set_ipv4(netif& card, SliceNode settings, std::string_view text)
{
    if (text == "dhcp")
        return dhcp_start(&card) == ERR_OK;
    ip_addr_t address{};
    ip_addr_t gateway{};
    unsigned prefix = 0;
    unsigned none = 0;
    const auto gateway_text = settings.text("gateway");
    if (!parse_address(text, address, prefix) || !IP_IS_V4_VAL(address) || prefix == 0 || prefix > 32)
        return false;
    if (gateway_text && (!parse_address(*gateway_text, gateway, none) || !IP_IS_V4_VAL(gateway)))
        return false;
    const ip4_addr_t mask{lwip_htonl(~uint32_t{0} << (32 - prefix))};
    netif_set_addr(&card, ip_2_ip4(&address), &mask, ip_2_ip4(&gateway));
    return true;
}

// lwIP takes the first 64 bits for the link's.
bool set_ipv6(netif& card, std::string_view text)
{
    netif_create_ip6_linklocal_address(&card, 1);
    netif_set_ip6_autoconfig_enabled(&card, text == "slaac");
    if (text == "slaac")
        return true;
    ip_addr_t address{};
    unsigned prefix = 64;
    s8_t index = 0;
    return parse_address(text, address, prefix) && IP_IS_V6_VAL(address) && prefix == 64 &&
           netif_add_ip6_address(&card, ip_2_ip6(&address), &index) == ERR_OK;
}

bool set_host_name(netif& card, std::string_view name)
{
    static char copy[64];
    if (name.empty() || name.size() >= sizeof(copy))
        return false;
    std::copy(name.begin(), name.end(), copy);
    netif_set_hostname(&card, copy);
    return true;
}

bool refused(const char* property, std::string_view text)
{
    print("network: %s = \"%.*s\" is not possible\n", property, static_cast<int>(text.size()), text.data());
    return false;
}

bool apply(netif& card, SliceNode settings)
{
    if (const auto name = settings.text("host-name"); name && !set_host_name(card, *name))
        return refused("host-name", *name);
    if (const auto text = settings.text("ipv6"); text && !set_ipv6(card, *text))
        return refused("ipv6", *text);
    if (const auto text = settings.text("address"); text && !set_ipv4(card, settings, *text))
        return refused("address", *text);
    return true;
}

void say_address(const ip_addr_t& address)
{
    char text[IPADDR_STRLEN_MAX];
    print("network: address %s\n", ipaddr_ntoa_r(&address, text, sizeof(text)));
}

void status_changed(netif* card)
{
    static ip_addr_t told{};
    if (netif_is_link_up(card) && !ip4_addr_isany_val(*netif_ip4_addr(card)) && !ip_addr_cmp(&told, &card->ip_addr)) {
        told = card->ip_addr;
        say_address(told);
    }
}

}  // namespace

Result<netif*> start_card(unsigned number, SliceNode settings)
{
    static bool started;
    const auto store = Store::open();
    if (!store)
        return failure(store.error());
    if (!std::exchange(started, true))
        start_network();
    const auto card = Netfront::open(**store, number);
    if (!card)
        return failure(card.error());
    netif& interface = (*card)->interface();
    netif_set_status_callback(&interface, status_changed);
    netif_set_link_callback(&interface, status_changed);
    if (netif_default == nullptr)
        netif_set_default(&interface);
    if (!apply(interface, settings)) {
        delete *card;
        return failure(XEN_EINVAL);
    }
    poll_network();
    return &interface;
}

}  // namespace bulkhead::net
