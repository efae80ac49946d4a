// SPDX-License-Identifier: BSD-2-Clause
// What benchmark guests of hardware partitions have beside measure.hpp: virtual is physical, ring 0.
#pragma once

#include "measure.hpp"

// An interrupt or exception enters there.
void set_gate(uint8_t vector, const char* entry);

[[gnu::always_inline]] inline void write_msr(uint32_t msr, uint64_t value)
{
    asm volatile("wrmsr" : : "c"(msr), "a"(static_cast<uint32_t>(value)), "d"(static_cast<uint32_t>(value >> 32)) : "memory");
}

[[gnu::always_inline]] inline uint64_t read_msr(uint32_t msr)
{
    uint32_t low;
    uint32_t high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return uint64_t{high} << 32 | low;
}
