// SPDX-License-Identifier: BSD-2-Clause
// The last step of every loader, with the firmware gone: copies the core to its address, goes back to
// 32-bit mode and enters it. It runs from a work area of its own, because the core's address may be
// what the firmware used for its stack, its page tables, or this loader.
#pragma once

#include "boot/handover.hpp"

#include <cstdint>

namespace bulkhead::loader {

// The work area: page-aligned, below 4 GiB, outside of the core's memory, and out of use afterwards.
inline constexpr uint64_t work_bytes = 0x10000;

struct CoreCopy {
    uint64_t from;              // the core's bytes, below 4 GiB
    uint64_t bytes;
    uint64_t to;
    uint64_t memory_bytes;
    uint64_t entry;
};

// Where the hand-over is to be written in a work area.
[[nodiscard]] boot::Handover& handover_in(uint64_t work);

// Interrupts are off, the firmware is no longer needed.
[[noreturn]] void enter_core(uint64_t work, const CoreCopy& core);

}  // namespace bulkhead::loader
