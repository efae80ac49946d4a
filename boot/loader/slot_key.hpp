// SPDX-License-Identifier: BSD-2-Clause
// The key whose signature this loader accepts. The host tool finds the mark and writes the key behind it.
#pragma once

#include "boot/loader/slot.hpp"

namespace bulkhead::loader {

struct CompiledKey {
    std::array<char, 16> mark;          // "BULKHEAD-KEY-IS:"
    PublicKey key;
};
static_assert(sizeof(CompiledKey) == 48);
extern const CompiledKey compiled_key;

// Read in a way that the compiler cannot foresee.
[[nodiscard]] PublicKey slot_key();

}  // namespace bulkhead::loader
