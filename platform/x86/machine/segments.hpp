// SPDX-License-Identifier: BSD-2-Clause
// What a vCPU's segments come from.
#pragma once

#include <bit>
#include <cstdint>

namespace bulkhead::machine {

// The operand of LGDT. Source: Intel SDM vol 3, "Pseudo-Descriptor Formats".
struct [[gnu::packed]] TablePointer {
    uint16_t limit;
    uint64_t base;
};
static_assert(sizeof(TablePointer) == 10);

// Of the data segments: kernels of 64 bits leave them null for nearly all that they run.
struct alignas(uint64_t) Selectors {
    uint16_t ds, es, fs, gs;
};

// Both at once, so that two vCPUs' are looked at in three instructions.
[[nodiscard, gnu::always_inline]] inline bool all_null(const Selectors& some, const Selectors& others)
{
    return (std::bit_cast<uint64_t>(some) | std::bit_cast<uint64_t>(others)) == 0;
}

}  // namespace bulkhead::machine
