// SPDX-License-Identifier: BSD-2-Clause
// Included by machine/clock.hpp only.
#pragma once

namespace bulkhead::machine {

inline TscTicks read_tsc()
{
    uint32_t low;
    uint32_t high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return TscTicks((uint64_t{high} << 32) | low);
}

}  // namespace bulkhead::machine
