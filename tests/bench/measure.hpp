// SPDX-License-Identifier: BSD-2-Clause
// How benchmark guests measure: in TSC ticks, which QEMU's -icount shift=0 makes instructions, the guest's
// own included. A figure is the least of many tries, less what reading the clock takes.
#pragma once

#include "framework/guest.hpp"

[[gnu::always_inline]] inline uint64_t ticks()
{
    uint32_t low;
    uint32_t high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return uint64_t{high} << 32 | low;
}

inline constexpr unsigned tries = 40;

template <class Function>
[[gnu::noinline]] uint64_t least(Function function)
{
    uint64_t best = ~uint64_t{0};
    for (unsigned i = 0; i < tries; ++i) {
        const uint64_t start = ticks();
        function();
        const uint64_t took = ticks() - start;
        if (took < best)
            best = took;
    }
    return best;
}

inline uint64_t clock_cost;         // set it first: least([] {})

template <class Function>
void measure(const char* name, unsigned operations, Function function)
{
    const uint64_t took = least(function);
    print("%s %lu\n", name, (took - clock_cost) / operations);
}
