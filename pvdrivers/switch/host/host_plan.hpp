// SPDX-License-Identifier: BSD-2-Clause
// What the slice says of one network's host. The plan compiler has checked it; it is checked once more here.
#pragma once

#include "pvdrivers/switch/host/box.hpp"
#include "pvdrivers/switch/host/diagnosis.hpp"

#include <bulkhead/slice.hpp>

#include <expected>

namespace bulkhead::net {

struct HostPlan {
    enum class Source : uint8_t { none, fixed, automatic };     // automatic: DHCP, SLAAC

    Name<31> network;
    Name<63> host_name;             // empty: no mDNS name
    Source ipv4 = Source::none;
    ip4_addr_t address{};
    ip4_addr_t mask{};
    ip4_addr_t gateway{};
    Source ipv6 = Source::none;
    ip6_addr_t address6{};          // on a link of 64 bits
    uint16_t http = 0;              // port; 0: off
    uint16_t diagnosis = 0;
    std::array<AddressRange, DiagnosisServer::most_ranges> from{};
    size_t ranges = 0;

    [[nodiscard]] bool exists() const { return ipv4 != Source::none || ipv6 != Source::none; }
};

// The error is the name of the property that cannot be used.
[[nodiscard]] std::expected<HostPlan, const char*> read_host_plan(SliceNode network);

}  // namespace bulkhead::net
