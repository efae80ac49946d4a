// SPDX-License-Identifier: BSD-2-Clause
// Takes the place of platform/x86/machine/frame_tables.hpp in unit tests: tables for every frame up to
// the end of the arena, and none beyond.
#pragma once

#include "core/frames.hpp"
#include "core/types.hpp"
#include "machine/memory.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace bulkhead::machine {

inline constexpr uint64_t frame_limit = fake::arena_first + fake::arena_frames;

}  // namespace bulkhead::machine

namespace bulkhead::fake {

inline FrameEntry frame_table[machine::frame_limit];
inline uint64_t m2p[machine::frame_limit];

inline void reset_frame_tables()
{
    for (FrameEntry& entry : frame_table) {
        entry.state = 0;
        entry.owner_and_stamp = 0;
    }
    std::fill(std::begin(m2p), std::end(m2p), ~uint64_t{0});
}

}  // namespace bulkhead::fake

namespace bulkhead::machine {

[[nodiscard]] inline FrameEntry* frame_entries() { return fake::frame_table; }
[[nodiscard]] inline uint64_t* machine_to_phys() { return fake::m2p; }

}  // namespace bulkhead::machine
