// SPDX-License-Identifier: BSD-2-Clause
// Unpacks a stored payload into a partition's frames, a block at a time.
#pragma once

#include "core/partition.hpp"
#include "core/plan.hpp"

#include <cstdint>

namespace bulkhead {

enum class Unpacked : uint8_t { block, later, damaged };

// Bytes that one step unpacks: a block of a packed payload, more of a plain one.
[[nodiscard]] uint64_t slice_bytes(const plan::Payload& payload);

// The slice of the payload that begins at unpacked byte `done`, and at `stored_done` among the stored
// ones, which moves on. It goes to the frames from `first` on; what is left of its last page is
// zeroed. `later`: another CPU uses the one buffer that memory in pieces needs; try again.
[[nodiscard]] Unpacked unpack_block(const PvMemory& memory, const plan::Header& header, const plan::Payload& payload,
                                    Pfn first, uint64_t done, uint64_t& stored_done);

}  // namespace bulkhead
