// SPDX-License-Identifier: BSD-2-Clause
// The running CPU's data, found from the stack pointer: every stack lies in its CPU's block.
#pragma once

#include "core/cpu.hpp"
#include "platform/x86/layout.hpp"

namespace bulkhead {

[[gnu::always_inline]] inline Cpu& this_cpu()
{
    uint64_t block;
    // An asm without inputs other than the stack pointer, so that the compiler may merge repeats.
    asm("mov %%rsp, %0" : "=r"(block));
    block &= ~(layout::cpu_block_size - 1);
    return *reinterpret_cast<Cpu*>(block + LAYOUT_CPU_DATA);
}

}  // namespace bulkhead
