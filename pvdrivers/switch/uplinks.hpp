// SPDX-License-Identifier: BSD-2-Clause
// The uplinks of the slice's networks: finds their cards, and gives them their turns.
#pragma once

#include "pvdrivers/switch/uplink.hpp"

#include <bulkhead/slice.hpp>
#include <bulkhead/time.hpp>

#include <array>

namespace bulkhead::net {

class Uplinks {
public:
    static constexpr size_t most = 8;

    // The uplink of a network, if its node names a device. The card may be missing or of no use: then the
    // console says why, and the network is one without.
    void add(SliceNode network, Bridge& bridge);
    // After the last one.
    void start();
    // A batch of each that has frames. True if there is more.
    bool serve(Copies& copies);

private:
    static void each_second(void* context);
    static void poll_cards(void* context);
    [[nodiscard]] std::span<Uplink* const> all() const { return {uplinks_.data(), count_}; }

    size_t count_ = 0;
    std::array<Uplink*, most> uplinks_{};
    Duration poll_every_{};         // of cards without interrupts
    Timer second_{each_second, this};
    Timer poll_{poll_cards, this};
};

}  // namespace bulkhead::net
