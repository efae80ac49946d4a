// SPDX-License-Identifier: BSD-2-Clause
// Where the frame table and the machine-to-phys table are. core/frames.cpp and core/pv/ fill them;
// machine/core_space.hpp backs them.
#pragma once

#include "core/types.hpp"
#include "platform/x86/layout.hpp"

#include <cstdint>

namespace bulkhead {
struct FrameEntry;
}

namespace bulkhead::machine {

// Every entry below frame_limit can be read; one that was never backed is zero ("no partition's"),
// or all ones in the machine-to-phys table.
inline constexpr uint64_t frame_limit = (uint64_t{1} << 39) / 16;

[[nodiscard]] inline FrameEntry* frame_entries() { return reinterpret_cast<FrameEntry*>(layout::frame_table); }
[[nodiscard]] inline uint64_t* machine_to_phys() { return reinterpret_cast<uint64_t*>(layout::m2p_core); }

}  // namespace bulkhead::machine
