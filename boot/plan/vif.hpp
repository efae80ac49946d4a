// SPDX-License-Identifier: BSD-2-Clause
// Virtual network cards as xl writes them, and the addresses in them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "boot/plan/outcome.hpp"

namespace bulkhead::tool {

using MacAddress = std::array<uint8_t, 6>;

struct Rate {
    uint64_t bytes_per_second;
    uint64_t interval_us;  // the allowance is renewed this often
};

struct Vif {
    std::optional<MacAddress> mac;  // else derived from the partition's uuid
    std::string bridge;             // empty: the plan's only network
    std::optional<Rate> rate;
    std::optional<uint16_t> vlan;
    std::optional<uint16_t> mtu;
    std::optional<uint32_t> storm;  // frames to all or many that it may send in a second
    std::string ip;
    std::string name;
    bool isolated = false;      // talks to the uplink only
    std::string without_effect;  // keys that xl knows and that mean nothing here, for a warning
};

// "mac=00:16:3e:27:95:c0,bridge=lan0,rate=10Mb/s".
[[nodiscard]] Outcome<Vif> parse_vif(std::string_view text);

[[nodiscard]] Outcome<MacAddress> parse_mac(std::string_view text);
[[nodiscard]] std::string mac_text(const MacAddress& mac);

// "10Mb/s", "250KB/s", "1MB/s@20ms"; 50 ms unless it says otherwise.
[[nodiscard]] Outcome<Rate> parse_rate(std::string_view text);

// "10.0.0.1"; with a prefix "10.0.0.1/24".
[[nodiscard]] Outcome<uint32_t> parse_ipv4(std::string_view text);
struct Ipv4Prefix {
    uint32_t address;
    unsigned length;
};
[[nodiscard]] Outcome<Ipv4Prefix> parse_ipv4_prefix(std::string_view text);
// "fd00::1/64".
[[nodiscard]] Outcome<void> check_ipv6_prefix(std::string_view text);

}  // namespace bulkhead::tool
