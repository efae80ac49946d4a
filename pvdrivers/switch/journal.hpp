// SPDX-License-Identifier: BSD-2-Clause
// What a life of the switch leaves to the next one, in the region that a restart does not clear.
//
// A response is written over its request: between the first slot of a batch and the new rsp_prod the
// ring has lost requests that nobody has answered. So the responses of a batch are written here
// first, then to the ring, then rsp_prod is shown. A successor finds the ring at its old rsp_prod and
// writes them again, or at the new one, and forgets them. One ring is answered at a time, so one such
// record is enough. A crash loses no store before it, so the order of the program is all it takes.
//
// The other thing is the addresses that front ends have asked for (multicast control): they say it once.
#pragma once

#include "pvdrivers/net/netif_ring.hpp"
#include "pvdrivers/switch/frame.hpp"

#include <array>
#include <cstdint>
#include <span>

namespace bulkhead::net {

inline constexpr size_t most_vifs = 64;
inline constexpr uint32_t most_queues = 4;
inline constexpr size_t most_groups = 64;       // addresses of one card

// A ring of one connection of a front end.
struct RingName {
    uint16_t vif = 0;
    uint8_t queue = 0;
    bool is_rx = false;
    uint32_t life = 0;          // of the partition
    uint32_t grant = 0;         // of the ring's page
    bool operator==(const RingName&) const = default;
};

// One word each, so that a change is whole or has not happened. 0: free.
using GroupWords = std::array<uint64_t, most_groups>;

struct JournalRegion {
    static constexpr uint64_t right_magic = 0x3153'5749'5443'4831;      // with the version

    uint64_t magic;
    uint64_t count;             // of entries that stand; 0: nothing is under way
    uint32_t begin;             // index of the first one in its ring
    RingName ring;
    std::array<uint64_t, RxRing::slots> entries;
    struct Card {
        uint32_t life;          // of the partition that asked for these
        uint32_t connection;    // the grant of its first ring
        GroupWords groups;
    };
    std::array<Card, most_vifs> cards;
};

class Journal {
public:
    // XEN_ENOSPC if the region is too small. Whatever it holds is taken only if it can be right.
    [[nodiscard]] Result<> open(std::span<std::byte> region);

    // Writes responses to a ring and shows them. True if the other side asked to be told.
    template <class Ring>
    [[nodiscard]] bool answer(Ring& ring, const RingName& name, std::span<const typename Ring::ResponseType> responses)
    {
        const uint32_t begin = ring.published();
        for (size_t i = 0; i < responses.size(); ++i)
            keep(i, &responses[i], sizeof(responses[i]));
        seal(name, begin, static_cast<uint32_t>(responses.size()));
        return carry_out(ring);
    }

    // A ring that an earlier life may have left half answered. Before anything is taken from it.
    template <class Ring>
    void take_over(Ring& ring, const RingName& name)
    {
        if (region_->count == 0 || region_->ring != name)
            return;
        if (ring.published() == region_->begin) {
            (void)carry_out(ring);
            ring.taken = ring.published();
        }
        clear();
    }

    // The groups that a connection has asked for; those of another one are forgotten first.
    [[nodiscard]] GroupWords& groups(uint32_t vif, uint32_t life, uint32_t connection);
    static void set(uint64_t& word, uint64_t value);

private:
    void keep(size_t index, const void* response, size_t bytes)
    {
        stop_point();
        std::memcpy(&region_->entries[index], response, bytes);
    }
    void seal(const RingName& name, uint32_t begin, uint32_t count);
    void clear();

    template <class Ring>
    [[nodiscard]] bool carry_out(Ring& ring)
    {
        const auto count = static_cast<uint32_t>(region_->count);
        const uint32_t begin = region_->begin;
        for (uint32_t i = 0; i < count; ++i) {
            typename Ring::ResponseType response;
            std::memcpy(&response, &region_->entries[i], sizeof(response));
            ring.put(begin + i, response);
        }
        const bool tell = ring.publish(begin + count);
        clear();
        return tell;
    }

    JournalRegion* region_ = nullptr;
};

}  // namespace bulkhead::net
