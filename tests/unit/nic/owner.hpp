// SPDX-License-Identifier: BSD-2-Clause
// The owner's side of a driver in tests: fills buffers, runs the loop that nic.hpp describes.
#pragma once

#include "pvdrivers/nic/driver.hpp"
#include "tests/unit/nic/card_model.hpp"

namespace bulkhead::nic {

struct Owner {
    explicit Owner(Driver& driver) : nic(driver) {}

    EventHandler handler() { return {[](void* context, Port) { ++static_cast<Owner*>(context)->events; }, this}; }

    // In pieces of at most so many bytes.
    bool send(const Bytes& frame, Offload offload = {}, size_t piece_bytes = 4096, bool kick = true)
    {
        std::vector<std::span<std::byte>> pieces;
        for (size_t at = 0; at < frame.size(); at += piece_bytes) {
            const auto buffer = nic.tx_buffer();
            if (buffer.empty()) {
                for (const auto& piece : pieces)
                    nic.tx_release(piece);
                return false;
            }
            const size_t bytes = std::min(piece_bytes, frame.size() - at);
            std::memcpy(buffer.data(), &frame[at], bytes);
            pieces.push_back(buffer.first(bytes));
        }
        const bool sent = nic.send(pieces, offload);
        if (kick)
            nic.kick();
        return sent;
    }

    // Until nothing comes any more.
    void serve()
    {
        nic.on_interrupt();
        do {
            std::array<RxFrame, 8> frames;
            while (const size_t count = nic.receive(frames)) {
                for (size_t i = 0; i < count; ++i) {
                    Bytes frame;
                    for (size_t piece = 0; piece < frames[i].pieces; ++piece) {
                        for (const std::byte byte : frames[i].piece[piece])
                            frame.push_back(static_cast<uint8_t>(byte));
                    }
                    received.push_back(frame);
                    offloads.push_back(frames[i].offload);
                }
                nic.recycle({frames.data(), count});
            }
        } while (!nic.listen());
    }

    Driver& nic;
    unsigned events = 0;
    std::vector<Bytes> received;
    std::vector<Offload> offloads;
};

inline Offload blank() { return {.checksum_blank = true, .checksum_valid = true, .gso_type = 0, .gso_size = 0}; }
inline Offload gso(FrameKind kind, uint16_t bytes)
{
    const uint8_t type = kind.ipv6 ? 2 : 1;
    return {.checksum_blank = true, .checksum_valid = true, .gso_type = type, .gso_size = bytes};
}

inline Bytes plain_frame(size_t bytes, uint8_t seed = 3)
{
    Bytes frame(bytes);
    for (size_t i = 0; i < bytes; ++i)
        frame[i] = static_cast<uint8_t>(i * 13 + seed);
    frame[0] = 2;
    frame[12] = 0x88;
    frame[13] = 0xb5;
    return frame;
}

}  // namespace bulkhead::nic
