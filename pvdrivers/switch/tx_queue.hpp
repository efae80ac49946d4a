// SPDX-License-Identifier: BSD-2-Clause
// The sending half of a queue: takes packets from the ring that a partition writes, and answers them.
#pragma once

#include "pvdrivers/net/netif_ring.hpp"
#include "pvdrivers/switch/batch.hpp"
#include "pvdrivers/switch/copies.hpp"
#include "pvdrivers/switch/journal.hpp"

namespace bulkhead::net {

// Pages for the copied headers of a batch, and their sides of copies.
class HeaderStore {
public:
    [[nodiscard]] Result<> open();
    [[nodiscard]] std::byte* bytes(uint32_t index) const { return memory_ + index * header_room; }
    [[nodiscard]] const CopySide& side(uint32_t index) const { return sides_[index]; }

private:
    std::byte* memory_ = nullptr;
    std::array<CopySide, slots_a_turn> sides_{};
};

// What an extra info asked for beside the frame itself.
class GroupRequests {
public:
    // False if it cannot be done: the list is full, or there was no such address.
    virtual bool add_group(Mac mac) = 0;
    virtual bool remove_group(Mac mac) = 0;

protected:
    ~GroupRequests() = default;
};

enum class RingError : uint8_t { none, index, extra, chain, page };
[[nodiscard]] const char* text_of(RingError error);

class TxQueue {
public:
    TxRing ring;
    RingName name;
    Domain domain{};
    bool may_have_work = false;

    // Fills the batch with packets, and asks for the copies of their headers. Anything but none: the
    // other side broke the ring's rules; the batch is empty, nothing has been taken.
    [[nodiscard]] RingError collect(Batch& batch, const HeaderStore& headers, Copies& copies, GroupRequests& groups);
    // Answers the first packets of the batch and forgets the others, which stay in the ring. True if
    // the other side is to be told.
    [[nodiscard]] bool answer(Batch& batch, uint32_t packets, Journal& journal);

private:
    struct Cursor {
        uint32_t index;
        uint32_t available;
    };
    struct Shape {
        netif_tx_request_t first;
        Offload offload;
        uint32_t slots = 0;
        bool is_command = false;
        bool command_done = false;
    };
    [[nodiscard]] RingError take_packet(Cursor& cursor, Batch& batch, const HeaderStore& headers, Copies& copies,
                                        GroupRequests& groups);
    [[nodiscard]] RingError take_extras(Cursor& cursor, Batch& batch, Shape& shape, GroupRequests& groups);
    [[nodiscard]] RingError take_slots(Cursor& cursor, Batch& batch, const Shape& shape, Packet& packet);
    void make_frame(Batch& batch, const Shape& shape, Packet& packet, uint32_t first_piece, const HeaderStore& headers,
                    Copies& copies);
    void add_answer(Batch& batch, uint16_t id, int16_t status);
};

}  // namespace bulkhead::net
