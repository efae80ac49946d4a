// SPDX-License-Identifier: BSD-2-Clause
// Who has which part of the DMA arena. All of this lies outside of the arena, so no card can change it.
#pragma once

#include "pvdrivers/nic/nic.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace bulkhead::nic {

inline constexpr size_t dma_page_bytes = 4096;
inline constexpr size_t rx_buffer_bytes = 2048;
inline constexpr size_t most_tx_pages = 256;
inline constexpr size_t most_rx_buffers = 255;      // a ring of 256 is never quite full

// Memory as both sides name it.
struct DmaRange {
    std::span<std::byte> memory;
    uint64_t address = 0;

    [[nodiscard]] uint64_t address_of(const std::byte* byte) const
    {
        return address + static_cast<uint64_t>(byte - memory.data());
    }
    [[nodiscard]] DmaRange part(size_t offset, size_t bytes) const
    {
        return {memory.subspan(offset, bytes), address + offset};
    }
};

// How an arena is cut: `ring_pages` first, then receive buffers, then send buffers.
struct Layout {
    DmaRange rings;
    DmaRange rx;
    DmaRange tx;

    static Layout of(const DmaArena& arena, size_t ring_pages)
    {
        const DmaRange all{arena.memory, arena.address};
        const size_t pages = arena.memory.size() / dma_page_bytes;
        const size_t rest = pages - ring_pages;
        const size_t rx_pages = std::min(rest / 2, most_rx_buffers * rx_buffer_bytes / dma_page_bytes);
        const size_t tx_pages = std::min(rest - rx_pages, most_tx_pages);
        const size_t rx_at = ring_pages * dma_page_bytes;
        const size_t tx_at = rx_at + rx_pages * dma_page_bytes;
        return {all.part(0, rx_at), all.part(rx_at, tx_at - rx_at), all.part(tx_at, tx_pages * dma_page_bytes)};
    }
};

// Send buffers. A page is free, or the owner's, or holds pieces that the card has yet to send.
class TxPages {
public:
    void init(DmaRange range)
    {
        range_ = range;
        count_ = std::min(range.memory.size() / dma_page_bytes, most_tx_pages);
        free_ = 0;
        for (size_t page = count_; page-- != 0;)
            give_back(static_cast<uint16_t>(page));
    }

    [[nodiscard]] size_t free_pages() const { return free_; }
    [[nodiscard]] size_t pages() const { return count_; }
    [[nodiscard]] const DmaRange& range() const { return range_; }
    [[nodiscard]] std::span<std::byte> memory(uint16_t page) const
    {
        return range_.memory.subspan(page * dma_page_bytes, dma_page_bytes);
    }

    [[nodiscard]] std::optional<uint16_t> take()
    {
        if (free_ == 0)
            return std::nullopt;
        const uint16_t page = stack_[--free_];
        state_[page] = owned;
        return page;
    }
    // The page that holds all of these bytes, if it is the owner's.
    [[nodiscard]] std::optional<uint16_t> owned_page(std::span<const std::byte> piece) const
    {
        const auto start = reinterpret_cast<uintptr_t>(range_.memory.data());
        const auto offset = reinterpret_cast<uintptr_t>(piece.data()) - start;
        const size_t page = offset / dma_page_bytes;
        if (page >= count_ || piece.empty() || piece.size() > dma_page_bytes - offset % dma_page_bytes ||
            state_[page] != owned)
            return std::nullopt;
        return static_cast<uint16_t>(page);
    }
    // From the owner to nobody.
    void release(uint16_t page)
    {
        if (state_[page] == owned)
            give_back(page);
    }
    // From the owner to the card, as so many pieces.
    void lend(uint16_t page, uint16_t pieces) { state_[page] = pieces; }
    // The card is done with one piece.
    void done(uint16_t page)
    {
        if (state_[page] != owned && state_[page] != 0 && --state_[page] == 0)
            give_back(page);
    }
    // The card has none any more. Returns how many pieces it had.
    size_t take_all_from_card()
    {
        size_t pieces = 0;
        for (size_t page = 0; page < count_; ++page) {
            if (state_[page] == owned || state_[page] == 0)
                continue;
            pieces += state_[page];
            give_back(static_cast<uint16_t>(page));
        }
        return pieces;
    }

private:
    static constexpr uint16_t owned = UINT16_MAX;   // else: pieces in the card; 0: free

    void give_back(uint16_t page)
    {
        state_[page] = 0;
        stack_[free_++] = page;
    }

    DmaRange range_;
    size_t count_ = 0;
    size_t free_ = 0;
    std::array<uint16_t, most_tx_pages> stack_{};
    std::array<uint16_t, most_tx_pages> state_{};
};

// Receive buffers: in the card's ring, with the owner, or waiting for a place in the ring.
class RxBuffers {
public:
    void init(DmaRange range)
    {
        range_ = range;
        count_ = std::min(range.memory.size() / rx_buffer_bytes, most_rx_buffers);
        state_.fill(State::owner);
        waiting_ = 0;
        for (size_t buffer = count_; buffer-- != 0;)
            give_back(static_cast<uint16_t>(buffer));
    }

    [[nodiscard]] size_t waiting() const { return waiting_; }
    [[nodiscard]] size_t count() const { return count_; }
    [[nodiscard]] std::span<std::byte> memory(uint16_t buffer) const
    {
        return range_.memory.subspan(buffer * rx_buffer_bytes, rx_buffer_bytes);
    }
    [[nodiscard]] uint64_t address(uint16_t buffer) const { return range_.address + buffer * rx_buffer_bytes; }

    [[nodiscard]] std::optional<uint16_t> to_card()
    {
        if (waiting_ == 0)
            return std::nullopt;
        const uint16_t buffer = stack_[--waiting_];
        state_[buffer] = State::card;
        return buffer;
    }
    void to_owner(uint16_t buffer) { state_[buffer] = State::owner; }
    // Takes back what receive() gave: false if it did not.
    bool recycle(const std::byte* byte)
    {
        const auto offset = reinterpret_cast<uintptr_t>(byte) - reinterpret_cast<uintptr_t>(range_.memory.data());
        const size_t buffer = offset / rx_buffer_bytes;
        if (buffer >= count_ || state_[buffer] != State::owner)
            return false;
        give_back(static_cast<uint16_t>(buffer));
        return true;
    }
    // Of one that was never handed out.
    void drop(uint16_t buffer) { give_back(buffer); }
    void take_all_from_card()
    {
        for (size_t buffer = 0; buffer < count_; ++buffer) {
            if (state_[buffer] == State::card)
                give_back(static_cast<uint16_t>(buffer));
        }
    }

private:
    enum class State : uint8_t { waiting, card, owner };

    void give_back(uint16_t buffer)
    {
        state_[buffer] = State::waiting;
        stack_[waiting_++] = buffer;
    }

    DmaRange range_;
    size_t count_ = 0;
    size_t waiting_ = 0;
    std::array<uint16_t, most_rx_buffers> stack_{};
    std::array<State, most_rx_buffers> state_{};
};

}  // namespace bulkhead::nic
