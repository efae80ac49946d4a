// SPDX-License-Identifier: BSD-2-Clause
// One split virtqueue. What the device may write is read once and checked; what the driver needs to know
// of its own descriptors lies in its own memory.
#pragma once

#include "pvdrivers/nic/buffers.hpp"
#include "pvdrivers/nic/virtio_layout.hpp"

#include <array>
#include <cstdint>
#include <span>

namespace bulkhead::nic {

class Virtqueue {
public:
    static constexpr unsigned most_entries = 256;
    static constexpr size_t memory_pages = 2;       // descriptors; both rings
    static constexpr uint16_t none = UINT16_MAX;

    // A part of a chain: memory that the device reads or writes, and a number of the caller's. Not
    // initialised: there are arrays of them for each frame.
    struct Part {
        uint64_t address;
        uint32_t bytes;
        bool device_writes;
        uint16_t tag;
    };

    // Zeroed memory of memory_pages; entries: a power of two up to most_entries.
    void init(DmaRange memory, unsigned entries);

    [[nodiscard]] uint64_t descriptors_address() const { return memory_.address; }
    [[nodiscard]] uint64_t available_address() const { return memory_.address + available_at; }
    [[nodiscard]] uint64_t used_address() const { return memory_.address + used_at; }
    [[nodiscard]] unsigned entries() const { return entries_; }
    [[nodiscard]] unsigned free_entries() const { return free_; }
    [[nodiscard]] bool busy() const { return free_ != entries_; }

    // The descriptor that the next chain begins with. There is room: ask free_entries() before.
    [[nodiscard]] uint16_t next_head() const { return free_head_; }
    // At least one part, at most free_entries().
    void add(std::span<const Part> parts);
    // Shows the device what has been added. Says whether it wants to be notified of it.
    [[nodiscard]] bool publish();

    enum class Got : uint8_t { nothing, chain, nonsense };
    struct Used {
        Got got = Got::nothing;
        uint16_t head = none;
        uint32_t bytes = 0;         // as the device says: check it
    };
    // The next chain that the device is done with. release() frees its descriptors.
    [[nodiscard]] Used next_used();
    [[nodiscard]] bool used_waits() const;
    // Calls done(tag) for each part that has a tag.
    template <class Function>
    void release(uint16_t head, Function done)
    {
        uint16_t at = head;
        uint16_t last = head;
        for (; at != none; at = state_[at].next) {
            if (state_[at].tag != none)
                done(state_[at].tag);
            last = at;
            ++free_;
        }
        state_[head].head = false;
        state_[last].next = free_head_;
        free_head_ = head;
    }

    void want_interrupts(bool wanted);

private:
    static constexpr size_t available_at = dma_page_bytes;
    static constexpr size_t used_at = dma_page_bytes + 1024;
    static_assert(most_entries * sizeof(virtio::Descriptor) <= dma_page_bytes);
    static_assert(6 + 2 * most_entries <= 1024 && used_at + 6 + 8 * most_entries <= memory_pages * dma_page_bytes);

    struct State {
        uint16_t next = none;
        uint16_t tag = none;
        bool head = false;          // of a chain that the device has
    };

    template <class T>
    [[nodiscard]] volatile T& at(size_t offset) const
    {
        return *reinterpret_cast<volatile T*>(memory_.memory.data() + offset);
    }

    DmaRange memory_;
    unsigned entries_ = 0;
    unsigned free_ = 0;
    uint16_t free_head_ = none;
    uint16_t available_ = 0;        // chains added
    uint16_t shown_ = 0;            // of them published
    uint16_t used_ = 0;             // taken from the device
    std::array<State, most_entries> state_{};
};

}  // namespace bulkhead::nic
