// SPDX-License-Identifier: BSD-2-Clause
// Copies between frames in the direct map, inline and by string instructions: one counted instruction
// for each quadword, and a line at a time in hardware.
#pragma once

#include <cstddef>

namespace bulkhead::machine {

// Lowest address first. Of ranges that overlap, the later bytes may be copies of the earlier ones.
[[gnu::always_inline]] inline void copy_bytes(void* to, const void* from, size_t bytes)
{
    size_t quadwords = bytes >> 3;
    asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(quadwords) : : "memory");
    size_t rest = bytes & 7;
    if (rest != 0)
        asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
}

}  // namespace bulkhead::machine
