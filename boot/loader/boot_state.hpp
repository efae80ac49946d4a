// SPDX-License-Identifier: BSD-2-Clause
// What the selector remembers of the two slots from start to start. It is kept twice, each copy in a
// block of its own; a write goes to the older copy, so that one that is cut off costs nothing but itself.
#pragma once

#include <array>
#include <cstdint>

namespace bulkhead::loader {

inline constexpr uint64_t state_magic = 0x3154415453484242;     // "BBHSTAT1"
inline constexpr uint32_t state_block_bytes = 4096;             // an erase block of a SPI flash
inline constexpr uint32_t no_slot = 2;

enum class SlotStatus : uint32_t {
    trial = 0,          // has not reported itself healthy: a bounded number of starts
    confirmed = 1,
    failed = 2,         // its tries are used up: only if there is nothing else
};

struct SlotRecord {
    uint64_t version;           // of the image that this is about; another one begins anew
    SlotStatus status;
    uint32_t tries_left;
};

struct BootState {
    uint64_t magic;
    uint32_t crc32;             // of everything behind it
    uint32_t sequence;          // of the two copies the one with the larger number counts
    uint64_t lowest_version;    // nothing older starts
    std::array<SlotRecord, 2> slots;
    uint32_t preferred;         // the operator's choice, or no_slot
    uint32_t reserved;
};
static_assert(sizeof(BootState) == 64);

// The state in two copies as they were read, or a fresh one if neither is sound.
[[nodiscard]] BootState newest_state(const BootState& first, const BootState& second);
// Raises the sequence, seals it, and says which copy (0 or 1) it belongs to.
[[nodiscard]] uint32_t seal_state(BootState& state);
[[nodiscard]] bool state_is_sound(const BootState& state);

}  // namespace bulkhead::loader
