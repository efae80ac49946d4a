// SPDX-License-Identifier: BSD-2-Clause
// An index that a guest controls, bounded on mispredicted paths too, where the comparison before it
// is not obeyed. Source: Intel, "Bounds Check Bypass", software mitigations by data dependence.
#pragma once

#include <cstdint>

namespace bulkhead::machine {

// `index` if it is below `count`, else 0, without a branch. The caller has compared them already.
[[nodiscard, gnu::always_inline]] inline uint64_t nospec_index(uint64_t index, uint64_t count)
{
    uint64_t mask;
    asm("cmp %[count], %[index]\n\t"
        "sbb %[mask], %[mask]"
        : [mask] "=r"(mask)
        : [index] "r"(index), [count] "rme"(count)
        : "cc");
    return index & mask;
}

// The smaller of the two, without a branch.
[[nodiscard, gnu::always_inline]] inline uint64_t nospec_limit(uint64_t index, uint64_t limit)
{
    asm("cmp %[limit], %[index]\n\t"
        "cmova %[limit], %[index]"
        : [index] "+r"(index)
        : [limit] "r"(limit)
        : "cc");
    return index;
}

}  // namespace bulkhead::machine
