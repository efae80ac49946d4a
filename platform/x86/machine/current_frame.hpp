// SPDX-License-Identifier: BSD-2-Clause
// The registers of the guest that this CPU came from: at the top of its stack (platform/x86/entry.S).
#pragma once

#include "core/guest_frame.hpp"
#include "platform/x86/layout.hpp"

#include <cstdint>

namespace bulkhead::machine {

// While a vCPU is current, on the CPU's own stack.
[[nodiscard, gnu::always_inline]] inline GuestFrame& current_frame()
{
    uint64_t block;
    asm("mov %%rsp, %0" : "=r"(block));
    block &= ~(layout::cpu_block_size - 1);
    return *reinterpret_cast<GuestFrame*>(block + LAYOUT_CPU_STACK_END - sizeof(GuestFrame));
}

}  // namespace bulkhead::machine
