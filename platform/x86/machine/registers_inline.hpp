// SPDX-License-Identifier: BSD-2-Clause
// Included by machine/registers.hpp only.
#pragma once

namespace bulkhead::machine {

inline void swap_gs()
{
    asm volatile("swapgs" : : : "memory");
}

inline void switch_table(uint64_t frame)
{
    asm volatile("mov %0, %%cr3" : : "r"(frame << 12) : "memory");
}

inline uint64_t read_cr2()
{
    uint64_t value;
    asm volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}

inline void write_cr2(uint64_t value)
{
    asm volatile("mov %0, %%cr2" : : "r"(value));
}

}  // namespace bulkhead::machine
