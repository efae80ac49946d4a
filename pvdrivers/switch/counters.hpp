// SPDX-License-Identifier: BSD-2-Clause
// What each port of the switch counts: frames that were not forwarded, with the reason, and other
// trouble. Those of a sender are counted at the port that the frame came from, those of a receiver
// at the port that it should have gone to.
#pragma once

#include "pvdrivers/switch/figures.hpp"

#include <array>
#include <cstdint>

namespace bulkhead::net {

enum class Counter : uint8_t {
    // of the sender
    spoofed_source,
    runt,
    oversized,
    tagged,
    link_local,
    own_address,
    unknown_destination,
    other_vlan,
    isolated,
    storm,
    malformed,
    grant_refused,
    cut_off,
    rate_waits,
    // of the receiver
    no_room,
    not_connected,
    target_refused,
    filtered,
    not_segmentable,
};
inline constexpr size_t counter_count = static_cast<size_t>(Counter::not_segmentable) + 1;

inline constexpr std::array<CounterName, counter_count> counter_names = {{
    {"spoofed_source", "from an address that is not the card's"},
    {"runt", "shorter than an Ethernet header"},
    {"oversized", "longer than the network carries"},
    {"tagged", "with a VLAN tag, on a port that has none"},
    {"link_local", "to an address that bridges do not forward"},
    {"own_address", "to the port that it came from"},
    {"unknown_destination", "to an address that is nowhere"},
    {"other_vlan", "to another VLAN"},
    {"isolated", "between ports of which one is isolated"},
    {"storm", "over the limit of broadcasts"},
    {"malformed", "requests of the ring that make no frame"},
    {"grant_refused", "memory of the sender that could not be read"},
    {"cut_off", "times that the card was cut off for breaking the ring"},
    {"rate_waits", "times that the sender waited for its rate limit"},
    {"no_room", "the receiver's ring was full"},
    {"not_connected", "the receiver was not connected"},
    {"target_refused", "memory of the receiver that could not be written"},
    {"filtered", "multicast that the receiver has not asked for"},
    {"not_segmentable", "too large for the receiver and not to be divided"},
}};

class Counters {
public:
    void add(Counter which) { ++values_[static_cast<size_t>(which)]; }
    [[nodiscard]] uint64_t operator[](Counter which) const { return values_[static_cast<size_t>(which)]; }
    [[nodiscard]] std::span<const uint64_t> all() const { return values_; }

private:
    std::array<uint64_t, counter_count> values_{};
};

}  // namespace bulkhead::net
