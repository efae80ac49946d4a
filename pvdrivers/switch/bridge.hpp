// SPDX-License-Identifier: BSD-2-Clause
// One network: decides which ports get a frame.
//
// It is not lwIP's bridgeif. A unicast frame from port to port costs 425 instructions there and 630 with the
// pbuf that it wants (GCC 12, -O2, three ports, counted by callgrind); here it costs 65, of 7,000 for a whole
// way of a frame between partitions. It has no VLANs, isolation, groups or ports that come and go either. It
// learns the address of every port, where the plan has all but those behind the uplink.
#pragma once

#include "pvdrivers/switch/fdb.hpp"
#include "pvdrivers/switch/port.hpp"

#include <array>
#include <span>
#include <string_view>

namespace bulkhead::net {

class Bridge {
public:
    static constexpr size_t most_ports = 80;

    // False: too many ports, or too many addresses.
    [[nodiscard]] bool add(Port& port);
    [[nodiscard]] std::span<Port* const> ports() const { return {ports_.data(), count_}; }
    [[nodiscard]] Port* uplink() const { return uplink_; }
    [[nodiscard]] bool has_vlans() const { return has_vlans_; }

    // Offers the frame to the ports that get it. busy: to nobody, the sender tries again. Ports that were
    // offered something are added to `touched`.
    [[nodiscard]] Verdict forward(Frame& frame, Copies& copies);
    // finish() of all ports that took part in this batch.
    void finish();

    std::string_view name;
    uint16_t mtu = 1500;
    Fdb fdb;

private:
    [[nodiscard]] Verdict flood(Frame& frame, Copies& copies);
    [[nodiscard]] static bool may_pass(const Frame& frame, const Port& to);
    [[nodiscard]] Verdict offer(Port& to, Frame& frame, Copies& copies, bool may_wait);

    size_t count_ = 0;
    std::array<Port*, most_ports> ports_{};
    size_t touched_count_ = 0;
    std::array<Port*, most_ports> touched_{};
    Port* uplink_ = nullptr;
    bool has_vlans_ = false;
};

}  // namespace bulkhead::net
