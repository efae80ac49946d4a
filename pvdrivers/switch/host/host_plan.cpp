// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/host/host_plan.hpp"

#include <algorithm>
#include <optional>

namespace bulkhead::net {

namespace {

std::optional<ip4_addr_t> parse_ip4(std::string_view text)
{
    AddressRange range;
    if (text.contains('/') || !parse_range(text, range) || IP_IS_V6_VAL(range.address))
        return {};
    return *ip_2_ip4(&range.address);
}

bool read_ipv4(SliceNode network, HostPlan& plan)
{
    const auto text = network.text("address");
    if (!text)
        return true;
    if (*text == "dhcp") {
        plan.ipv4 = HostPlan::Source::automatic;
        return true;
    }
    AddressRange range;
    if (!text->contains('/') || !parse_range(*text, range) || IP_IS_V6_VAL(range.address) || range.prefix == 0)
        return false;
    plan.ipv4 = HostPlan::Source::fixed;
    plan.address = *ip_2_ip4(&range.address);
    plan.mask.addr = lwip_htonl(~uint32_t{0} << (32 - range.prefix));
    return true;
}

// lwIP takes the first 64 bits of an own address for its link's.
bool read_ipv6(SliceNode network, HostPlan& plan)
{
    const auto text = network.text("ipv6");
    if (!text)
        return true;
    if (*text == "slaac") {
        plan.ipv6 = HostPlan::Source::automatic;
        return true;
    }
    AddressRange range;
    if (!parse_range(*text, range) || !IP_IS_V6_VAL(range.address) || (range.prefix != 64 && range.prefix != 128))
        return false;
    plan.ipv6 = HostPlan::Source::fixed;
    plan.address6 = *ip_2_ip6(&range.address);
    return true;
}

bool read_port(SliceNode node, const char* property, uint16_t otherwise, uint16_t& port)
{
    const uint64_t number = node.number(property, otherwise);
    port = static_cast<uint16_t>(number);
    return number <= UINT16_MAX;
}

bool read_ranges(SliceNode diagnosis, HostPlan& plan)
{
    const auto bytes = diagnosis.bytes("from");
    std::string_view texts(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    while (!texts.empty()) {
        const std::string_view text = texts.substr(0, texts.find('\0'));
        if (plan.ranges == plan.from.size() || !parse_range(text, plan.from[plan.ranges++]))
            return false;
        texts.remove_prefix(std::min(text.size() + 1, texts.size()));
    }
    return plan.ranges != 0;
}

// A label of a domain name.
bool is_host_name(std::string_view text)
{
    return text.size() <= 63 && !text.starts_with('-') && !text.ends_with('-') &&
           std::ranges::all_of(text, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
           });
}

}  // namespace

std::expected<HostPlan, const char*> read_host_plan(SliceNode network)
{
    HostPlan plan;
    plan.network = network.name();
    if (!read_ipv4(network, plan))
        return std::unexpected("address");
    if (!read_ipv6(network, plan))
        return std::unexpected("ipv6");
    if (!plan.exists())
        return plan;
    if (const auto gateway = network.text("gateway")) {
        const auto address = parse_ip4(*gateway);
        if (!address)
            return std::unexpected("gateway");
        plan.gateway = *address;
    }
    plan.host_name = network.text("host-name").value_or("");
    if (!is_host_name(network.text("host-name").value_or("")))
        return std::unexpected("host-name");
    if (!read_port(network, "http", 80, plan.http))
        return std::unexpected("http");
    if (const SliceNode diagnosis = network.child("diagnosis")) {
        if (!read_port(diagnosis, "port", 0, plan.diagnosis))
            return std::unexpected("diagnosis port");
        if (plan.diagnosis != 0 && !read_ranges(diagnosis, plan))
            return std::unexpected("diagnosis from");
    }
    return plan;
}

}  // namespace bulkhead::net
