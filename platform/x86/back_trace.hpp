// SPDX-License-Identifier: BSD-2-Clause
// Return addresses by frame pointers, and the functions that they lie in. For panics: believes
// nothing that it reads, never faults, always ends.
#pragma once

#include "core/plan.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace bulkhead {

// Memory that a frame pointer may point into.
struct StackRange {
    uint64_t begin;
    uint64_t end;
};

// Fills `to` with return addresses, innermost first, and returns how many. A frame pointer outside
// of all ranges, unaligned, or going down within one range ends the trace.
size_t trace_back(uint64_t frame_pointer, std::span<const StackRange> stacks, std::span<uint64_t> to);

// The function that holds the address; null if none does. Symbols ascend by address.
const plan::Symbol* find_symbol(std::span<const plan::Symbol> symbols, uint64_t address);

}  // namespace bulkhead
