// SPDX-License-Identifier: BSD-2-Clause
// The frames of one turn of one sending ring, and what they are made of. There is one batch in the
// program.
#pragma once

#include "pvdrivers/net/netif_ring.hpp"
#include "pvdrivers/switch/frame.hpp"

#include <array>
#include <cstdint>

namespace bulkhead::net {

// A turn begins no further frame behind so many slots; a frame may end behind them.
inline constexpr uint32_t slots_a_turn = 64;
// What Xen's ABI promises that back ends take.
inline constexpr uint32_t most_slots_of_frame = XEN_NETIF_NR_SLOTS_MIN;
inline constexpr uint32_t most_extras = XEN_NETIF_EXTRA_TYPE_MAX - 1;
inline constexpr uint32_t most_slots_of_turn = slots_a_turn + most_slots_of_frame + most_extras;

// How a packet of the ring is to be answered.
struct Packet {
    uint16_t first_answer;      // in Batch::answers
    uint16_t slots;             // with extra infos
    int16_t status;
    bool has_frame;
    uint16_t frame;
};

struct Batch {
    uint32_t packets = 0;
    uint32_t frames = 0;
    uint32_t pieces = 0;
    uint32_t answers = 0;
    std::array<Packet, slots_a_turn> packet;
    std::array<Frame, slots_a_turn> frame;
    std::array<Piece, most_slots_of_turn> piece;
    std::array<netif_tx_response_t, most_slots_of_turn> answer;

    void clear() { packets = frames = pieces = answers = 0; }
};

}  // namespace bulkhead::net
