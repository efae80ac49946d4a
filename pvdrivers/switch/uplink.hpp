// SPDX-License-Identifier: BSD-2-Clause
// The port behind which the outside is: a network card of the box. Frames for it are copied into the
// card's buffers, frames from it are forwarded out of them. Networks with VLANs have their tags here.
#pragma once

#include "pvdrivers/nic/nic.hpp"
#include "pvdrivers/switch/batch.hpp"
#include "pvdrivers/switch/bridge.hpp"

#include <array>
#include <string_view>

namespace bulkhead::net {

class Uplink final : public Port {
public:
    // `place` says where the card is, or why there is none.
    explicit Uplink(std::string_view place);

    void attach(nic::Nic& card);
    [[nodiscard]] nic::Nic* card() const { return card_; }
    // Interrupts say that there is something.
    void look() { may_have_frames_ = true; }
    // Forwards what has come, a batch. True if there is more.
    bool serve(Copies& copies);
    // Once a second.
    void maintain();

    [[nodiscard]] Verdict offer(Frame& frame, Copies& copies, bool may_wait) override;
    void finish() override;
    [[nodiscard]] PortFigures figures() const override;

private:
    static constexpr size_t frames_a_batch = 16;
    static constexpr size_t most_pieces = most_slots_of_turn + nic::most_tx_pieces;
    using Buffer = std::span<std::byte>;

    struct Sending {
        Frame* frame;
        uint16_t first;         // in pieces_
        uint16_t count;
    };
    [[nodiscard]] bool take_buffers(uint32_t bytes, Sending& sending);
    void release(const Sending& sending);
    uint32_t put_header(const Frame& frame, Buffer into) const;
    void forward(const nic::RxFrame& received, Frame& frame, Copies& copies, Time now);
    [[nodiscard]] bool take_tag(Frame& frame) const;

    nic::Nic* card_ = nullptr;
    std::string_view place_;
    bool may_have_frames_ = false;
    size_t sending_count_ = 0;
    std::array<Sending, slots_a_turn> sending_{};
    size_t piece_count_ = 0;
    std::array<Buffer, most_pieces> pieces_{};
    std::array<nic::RxFrame, frames_a_batch> received_{};
    std::array<Frame, frames_a_batch> frames_{};
    std::array<std::array<Piece, nic::most_rx_pieces>, frames_a_batch> rests_{};
};

}  // namespace bulkhead::net
