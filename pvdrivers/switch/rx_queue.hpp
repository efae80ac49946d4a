// SPDX-License-Identifier: BSD-2-Clause
// The receiving half of a queue: fills the slots that a partition has posted.
//
// A frame of more than a page goes to the partition as it came: the header in the first slot, each
// granted piece in a slot of its own. Packed from slot to slot, almost every piece would be two
// copies; Linux takes a first slot of up to 256 bytes as the packet's linear part.
#pragma once

#include "pvdrivers/net/netif_ring.hpp"
#include "pvdrivers/switch/batch.hpp"
#include "pvdrivers/switch/journal.hpp"
#include "pvdrivers/switch/port.hpp"

#include <bulkhead/time.hpp>

namespace bulkhead::net {

class RxQueue {
public:
    RxRing ring;
    RingName name;
    Domain domain{};
    bool is_broken = false;         // its index has run away

    // The slots that the frame takes, copies asked for. busy: there are too few, and an event comes
    // when there are enough.
    [[nodiscard]] Verdict offer(Frame& frame, Copies& copies);
    // After the copies: shows what was taken. True if the other side is to be told.
    [[nodiscard]] bool finish(Journal& journal, Counters& counters, Traffic& out);

    // How long a sender may still be held up by this ring, in any second or so. A ring that is full
    // for longer gets no frames until it has room.
    [[nodiscard]] Duration patience(Time now);
    void has_waited(Duration time) { patience_ -= time; }
    // Somebody has waited long enough: none, until the partition posts more.
    void give_up()
    {
        is_given_up_ = true;
        given_up_at_ = ring.taken + ring.available();
    }

private:
    struct Taken {
        Frame* frame;
        uint16_t first;         // in responses_
        uint16_t slots;
        uint16_t extra_id;      // of the request whose slot has the extra info
        bool target_failed;
    };
    struct Fill;
    void fill_whole(Frame& frame, Copies& copies, Taken& taken);
    void fill_by_piece(Frame& frame, Copies& copies, Taken& taken);
    void fill_packed(Frame& frame, Copies& copies, Taken& taken, uint32_t slots);
    CopySide take_slot(uint32_t bytes, uint16_t flags);
    void add_gso(const Offload& offload, Taken& taken);
    void fail(const Taken& taken);

    uint32_t count_ = 0;        // of frames
    uint32_t used_ = 0;         // of responses
    std::array<Taken, slots_a_turn> taken_;
    std::array<netif_rx_response_t, RxRing::slots> responses_;
    Duration patience_{};
    Time refilled_{};
    uint32_t given_up_at_ = 0;  // how many slots the partition had posted then
    bool is_given_up_ = false;
};

}  // namespace bulkhead::net
