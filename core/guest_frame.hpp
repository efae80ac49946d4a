// SPDX-License-Identifier: BSD-2-Clause
// The registers of a guest as the entry code saves them, at the top of the CPU's stack while the
// vCPU runs and in its Vcpu while another one does. platform/x86/entry.S builds this layout.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bulkhead {

// The six argument registers of a hypercall, in the order of the ABI: rdi, rsi, rdx, r10, r8, r9.
// A handler may change them when it asks to be continued. Same layout as multicall_entry.args.
struct HypercallArguments {
    std::array<uint64_t, 6> value;
};

struct GuestFrame {
    uint64_t r15, r14, r13, r12, rbp, rbx;
    uint64_t r11, rcx, rax;
    uint64_t rdi, rsi, rdx, r10, r8, r9;    // the arguments of a hypercall, in order
    uint32_t error_code;    // of the exception, zero where it has none
    uint32_t vector;        // exception or interrupt; entry_syscall for SYSCALL
    uint64_t rip;
    uint16_t cs;
    uint16_t cs_unused[3];
    uint64_t rflags;
    uint64_t rsp;
    uint16_t ss;
    uint16_t ss_unused[3];

    [[nodiscard]] HypercallArguments& arguments()
    {
        return *reinterpret_cast<HypercallArguments*>(&rdi);
    }
};

inline constexpr uint32_t entry_syscall = 0x100;

static_assert(sizeof(GuestFrame) == 21 * 8);
static_assert(offsetof(GuestFrame, rdi) == 9 * 8 && offsetof(GuestFrame, r9) == 14 * 8);
static_assert(offsetof(GuestFrame, rip) == 16 * 8);

}  // namespace bulkhead
