// SPDX-License-Identifier: BSD-2-Clause
// Reads and checks a compiled plan where it lies, without allocation: the core at start, the host
// tool before it writes an image. After check_plan() said yes, every table, text, index and frame
// number in the plan is inside its bounds, so that what follows need not check again.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/plan.hpp"

namespace bulkhead::plan {

// nullptr if the plan of `bytes` bytes at `header` is sound, else a sentence that says what is not.
// `header` is aligned to 8. Stored payloads are only checked for their bounds (their CRC is apart).
[[nodiscard]] const char* check_plan(const Header* header, uint64_t bytes);

// The accessors below are for a plan that check_plan() has accepted.

// The bytes at `offset` from the header.
inline const uint8_t* bytes_at(const Header& header, uint64_t offset)
{
    return reinterpret_cast<const uint8_t*>(&header) + offset;
}

// The records of a table: `table<Partition>(header, header.partitions)`.
template <class T>
std::span<const T> table(const Header& header, Table where)
{
    const void* first = bytes_at(header, where.offset);
    return {static_cast<const T*>(first), where.count};
}

// A text, followed by a zero in memory.
inline std::string_view text(const Header& header, Table where)
{
    const void* first = bytes_at(header, where.offset);
    return {static_cast<const char*>(first), where.count};
}

// A symbol's name, zero-terminated.
inline const char* name_of(const Header& header, const Symbol& symbol)
{
    const void* first = bytes_at(header, symbol.name);
    return static_cast<const char*>(first);
}

inline std::span<const uint8_t> stored_bytes(const Header& header, const Payload& payload)
{
    return {bytes_at(header, payload.offset), payload.stored_bytes};
}

inline std::string_view name_of(const Partition& partition) { return partition.name.data(); }

}  // namespace bulkhead::plan
