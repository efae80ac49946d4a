// SPDX-License-Identifier: BSD-2-Clause
// Source: xl-network-configuration(5) of Xen 4.17; vlan, isolated and storm are Bulkhead's own.
#include "boot/plan/vif.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <vector>

#include "boot/plan/nearest.hpp"
#include "boot/plan/value.hpp"

namespace bulkhead::tool {

namespace {

using Setter = Outcome<bool> (*)(Vif&, std::string_view);

Outcome<bool> set_mac(Vif& vif, std::string_view value)
{
    vif.mac = ATTEMPT(parse_mac(value));
    return true;
}

Outcome<bool> set_rate(Vif& vif, std::string_view value)
{
    vif.rate = ATTEMPT(parse_rate(value));
    return true;
}

Outcome<uint16_t> bounded(std::string_view value, uint16_t least, uint16_t most)
{
    const auto number = parse_number(value);
    if (!number || *number < least || *number > most)
        return refuse(Quoted{value}, " is not a number from ", least, " to ", most);
    return static_cast<uint16_t>(*number);
}

Outcome<bool> set_vlan(Vif& vif, std::string_view value)
{
    vif.vlan = ATTEMPT(bounded(value, 1, 4094));
    return true;
}

Outcome<bool> set_mtu(Vif& vif, std::string_view value)
{
    vif.mtu = ATTEMPT(bounded(value, 68, 65535));
    return true;
}

Outcome<bool> set_storm(Vif& vif, std::string_view value)
{
    static constexpr uint32_t most = 1'000'000;
    const auto frames = parse_number(value.ends_with("/s") ? value.substr(0, value.size() - 2) : value);
    if (!frames || *frames == 0 || *frames > most)
        return refuse(Quoted{value}, " is not a number of frames in a second from 1 to ", most, ", such as 1000/s");
    vif.storm = static_cast<uint32_t>(*frames);
    return true;
}

Outcome<bool> set_isolated(Vif& vif, std::string_view value)
{
    if (value != "1" && value != "0")
        return refuse(Quoted{value}, " is neither 1 nor 0");
    vif.isolated = value == "1";
    return true;
}

Outcome<bool> set_bridge(Vif& vif, std::string_view value)
{
    vif.bridge = value;
    return true;
}

Outcome<bool> set_ip(Vif& vif, std::string_view value)
{
    (void)ATTEMPT(parse_ipv4(value));
    vif.ip = value;
    return true;
}

Outcome<bool> set_name(Vif& vif, std::string_view value)
{
    vif.name = value;
    return true;
}

Outcome<bool> check_type(Vif&, std::string_view value)
{
    if (value != "vif")
        return refuse(Quoted{value}, " is not available; cards are \"vif\" (or have no type)");
    return true;
}

Outcome<bool> ignore(Vif&, std::string_view) { return false; }

Outcome<bool> no_backend(Vif&, std::string_view)
{
    return refuse("there are no driver domains: the switch is part of the image, so leave it out");
}

struct Key {
    std::string_view name;
    Setter set;
};

constexpr std::array<Key, 17> keys{{
    {"mac", set_mac},
    {"bridge", set_bridge},
    {"rate", set_rate},
    {"vlan", set_vlan},
    {"mtu", set_mtu},
    {"ip", set_ip},
    {"vifname", set_name},
    {"isolated", set_isolated},
    {"storm", set_storm},
    {"type", check_type},
    {"model", ignore},
    {"script", ignore},
    {"gatewaydev", ignore},
    {"devid", ignore},
    {"trusted", ignore},
    {"forwarddev", ignore},
    {"backend", no_backend},
}};

Outcome<bool> set_key(Vif& vif, std::string_view name, std::string_view value)
{
    std::vector<std::string_view> names;
    for (const auto& key : keys) {
        names.push_back(key.name);
        if (key.name != name)
            continue;
        const auto done = key.set(vif, value);
        if (!done)
            return refuse(name, ": ", done.error());
        if (!*done)
            vif.without_effect += (vif.without_effect.empty() ? "" : ", ") + std::string(name);
        return true;
    }
    return refuse("has the unknown key ", Quoted{name}, "; ",
                  suggestion(name, names, "mac, bridge, rate, vlan, mtu, ip, isolated and storm are known"));
}

}  // namespace

Outcome<Vif> parse_vif(std::string_view text)
{
    Vif vif;
    if (trim(text).empty())
        return vif;
    std::vector<std::string_view> seen;
    for (const auto part : split(text, ',')) {
        const size_t equals = part.find('=');
        if (equals == std::string_view::npos)
            return refuse("has ", Quoted{trim(part)}, ", which is not KEY=VALUE; ",
                          "such as \"mac=00:16:3e:27:95:c0,bridge=lan0\" is expected");
        const auto name = trim(part.substr(0, equals));
        for (const auto other : seen)
            if (other == name)
                return refuse("gives ", name, " twice; once is enough");
        seen.push_back(name);
        (void)ATTEMPT(set_key(vif, name, trim(part.substr(equals + 1))));
    }
    return vif;
}

Outcome<MacAddress> parse_mac(std::string_view text)
{
    const auto parts = split(text, ':');
    MacAddress mac{};
    bool valid = parts.size() == mac.size();
    for (size_t i = 0; valid && i < mac.size(); ++i) {
        const auto byte = parse_number("0x" + std::string(parts[i]));
        valid = byte && parts[i].size() == 2;
        mac[i] = static_cast<uint8_t>(valid ? *byte : 0);
    }
    if (!valid)
        return refuse(Quoted{text}, " is not a MAC address such as 00:16:3e:27:95:c0");
    if ((mac[0] & 1) != 0)
        return refuse(Quoted{text}, " is a multicast address; the second digit of a card's own is even");
    if (mac == MacAddress{})
        return refuse(Quoted{text}, " is no address; such as 00:16:3e:27:95:c0 is expected");
    return mac;
}

std::string mac_text(const MacAddress& mac)
{
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const uint8_t byte : mac) {
        out += out.empty() ? "" : ":";
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

Outcome<Rate> parse_rate(std::string_view text)
{
    static constexpr uint64_t default_interval_us = 50'000;
    static constexpr uint64_t most_bytes_per_second = 100'000'000'000;
    const auto wrong = refuse(Quoted{text}, " is not a rate such as 10Mb/s, 250KB/s or 1MB/s@20ms");
    const size_t at = text.find('@');
    auto amount = text.substr(0, at);
    Rate rate{0, default_interval_us};
    const size_t unit = amount.find_first_not_of("0123456789");
    if (unit == 0 || unit == std::string_view::npos || !amount.ends_with("/s"))
        return wrong;
    const auto number = parse_number(amount.substr(0, unit));
    amount = amount.substr(unit, amount.size() - unit - 2);
    uint64_t scale = 1;
    if (!amount.empty() && amount.size() == 2) {
        const size_t prefix = std::string_view("KMG").find(amount.front());
        if (prefix == std::string_view::npos)
            return wrong;
        for (size_t i = 0; i <= prefix; ++i)
            scale *= 1000;
        amount.remove_prefix(1);
    }
    const uint64_t divisor = amount == "b" ? 8 : 1;
    if (!number || (amount != "b" && amount != "B") || *number > most_bytes_per_second * divisor / scale)
        return wrong;
    rate.bytes_per_second = *number * scale / divisor;
    if (at != std::string_view::npos) {
        const auto interval = text.substr(at + 1);
        const size_t digits = std::min(interval.find_first_not_of("0123456789"), interval.size());
        const auto length = parse_number(interval.substr(0, digits));
        const auto suffix = interval.substr(digits);
        const uint64_t us = suffix == "us" ? 1 : suffix == "ms" ? 1000 : suffix == "s" ? 1'000'000 : 0;
        if (!length || us == 0 || *length == 0 || *length > 4'000'000'000 / us)
            return wrong;
        rate.interval_us = *length * us;
    }
    if (rate.bytes_per_second == 0)
        return refuse(Quoted{text}, " lets nothing through; such as 10Mb/s is expected");
    return rate;
}

Outcome<uint32_t> parse_ipv4(std::string_view text)
{
    const auto parts = split(text, '.');
    uint32_t address = 0;
    bool valid = parts.size() == 4;
    for (size_t i = 0; valid && i < 4; ++i) {
        const auto byte = parse_number(parts[i]);
        valid = byte && *byte <= 255 && parts[i].find_first_not_of("0123456789") == std::string_view::npos;
        address = address << 8 | static_cast<uint32_t>(valid ? *byte : 0);
    }
    if (!valid)
        return refuse(Quoted{text}, " is not an IPv4 address such as 10.0.0.2");
    return address;
}

Outcome<Ipv4Prefix> parse_ipv4_prefix(std::string_view text)
{
    const size_t slash = text.find('/');
    const auto address = parse_ipv4(text.substr(0, slash));
    const auto length = slash == std::string_view::npos ? refuse("no length")
                                                        : parse_number(text.substr(slash + 1));
    if (!address || !length || *length > 32)
        return refuse(Quoted{text}, " is not an IPv4 address with its prefix length, such as 10.0.0.1/24");
    return Ipv4Prefix{*address, static_cast<unsigned>(*length)};
}

Outcome<void> check_ipv6_prefix(std::string_view text)
{
    const size_t slash = text.find('/');
    const auto length = slash == std::string_view::npos ? refuse("no length") : parse_number(text.substr(slash + 1));
    in6_addr address;
    const bool valid = inet_pton(AF_INET6, std::string(text.substr(0, slash)).c_str(), &address) == 1;
    if (!valid || !length || *length == 0 || *length > 128)
        return refuse(Quoted{text}, " is not an IPv6 address with its prefix length, such as fd00::1/64");
    if (address.s6_addr[0] == 0xff || IN6_IS_ADDR_UNSPECIFIED(&address))
        return refuse(Quoted{text}, " is no host's address; such as fd00::1/64 is expected");
    return {};
}

}  // namespace bulkhead::tool
