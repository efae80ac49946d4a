// SPDX-License-Identifier: BSD-2-Clause
// The two frames of the PV ABI that every trap and every return moves: straight between registers and
// the running guest's stack. False where an access faults or the range is not the guest's.
#pragma once

#include "core/types.hpp"
#include "platform/x86/layout.hpp"
#include "platform/x86/smap.hpp"

#include <cstdint>

namespace bulkhead::machine {

// Lowest address first; an error code stands between r11 and rip where there is one.
struct ExceptionFrame {
    uint64_t rcx, r11, rip, cs, rflags, rsp, ss;
};

#define GUEST_STORE(label, offset, name) label ": mov %[" name "], " offset "(%[at])\n" FIXUP(label "b", "30f")
#define GUEST_LOAD(label, offset, name) label ": mov " offset "(%[at]), %[" name "]\n" FIXUP(label "b", "30f")
// Local label 30 is where a faulting access goes on: closes the guest's memory and leaves.
#define LEAVE_BY_FAULT                             \
    ".pushsection .text.guest_fault, \"ax\"\n"     \
    "30:\n" CLOSE_GUEST_ACCESS "jmp %l[fault]\n"   \
    ".popsection\n"

[[nodiscard, gnu::always_inline]] inline bool store_frame(uint64_t at, const ExceptionFrame& frame)
{
    if (!layout::guest_range_ok(at, sizeof(frame))) [[unlikely]]
        return false;
    asm goto(OPEN_GUEST_ACCESS
             GUEST_STORE("21", "0", "rcx_") GUEST_STORE("22", "8", "r11_") GUEST_STORE("23", "16", "rip_")
             GUEST_STORE("24", "24", "cs_") GUEST_STORE("25", "32", "rflags_") GUEST_STORE("26", "40", "rsp_")
             GUEST_STORE("27", "48", "ss_")
             CLOSE_GUEST_ACCESS LEAVE_BY_FAULT
             :
             : [at] "r"(at), [rcx_] "r"(frame.rcx), [r11_] "r"(frame.r11), [rip_] "r"(frame.rip),
               [cs_] "r"(frame.cs), [rflags_] "r"(frame.rflags), [rsp_] "r"(frame.rsp), [ss_] "r"(frame.ss)
             : "memory"
             : fault);
    return true;
fault:
    return false;
}

[[nodiscard, gnu::always_inline]] inline bool store_frame(uint64_t at, const ExceptionFrame& frame,
                                                          uint64_t error_code)
{
    if (!layout::guest_range_ok(at, sizeof(frame) + sizeof(error_code))) [[unlikely]]
        return false;
    asm goto(OPEN_GUEST_ACCESS
             GUEST_STORE("21", "0", "rcx_") GUEST_STORE("22", "8", "r11_") GUEST_STORE("23", "16", "error_")
             GUEST_STORE("24", "24", "rip_") GUEST_STORE("25", "32", "cs_") GUEST_STORE("26", "40", "rflags_")
             GUEST_STORE("27", "48", "rsp_") GUEST_STORE("28", "56", "ss_")
             CLOSE_GUEST_ACCESS LEAVE_BY_FAULT
             :
             : [at] "r"(at), [rcx_] "r"(frame.rcx), [r11_] "r"(frame.r11), [error_] "r"(error_code),
               [rip_] "r"(frame.rip), [cs_] "r"(frame.cs), [rflags_] "r"(frame.rflags), [rsp_] "r"(frame.rsp),
               [ss_] "r"(frame.ss)
             : "memory"
             : fault);
    return true;
fault:
    return false;
}

// Source: xen/include/public/arch-x86/xen-x86_64.h, struct iret_context.
struct IretFrame {
    uint64_t rax, r11, rcx, flags, rip, cs, rflags, rsp, ss;
};

[[nodiscard, gnu::always_inline]] inline bool load_frame(IretFrame& frame, uint64_t at)
{
    if (!layout::guest_range_ok(at, sizeof(frame))) [[unlikely]]
        return false;
    // Not an asm goto: GCC 12 fails on one with this many outputs.
    uint32_t failed = 1;
    asm volatile(OPEN_GUEST_ACCESS
                 GUEST_LOAD("21", "0", "rax_") GUEST_LOAD("22", "8", "r11_") GUEST_LOAD("23", "16", "rcx_")
                 GUEST_LOAD("24", "24", "flags_") GUEST_LOAD("25", "32", "rip_") GUEST_LOAD("26", "40", "cs_")
                 GUEST_LOAD("27", "48", "rflags_") GUEST_LOAD("28", "56", "rsp_") GUEST_LOAD("29", "64", "ss_")
                 "xor %[failed], %[failed]\n"
                 "30:\n" CLOSE_GUEST_ACCESS
                 : [failed] "+&r"(failed), [rax_] "=&r"(frame.rax), [r11_] "=&r"(frame.r11),
                   [rcx_] "=&r"(frame.rcx), [flags_] "=&r"(frame.flags), [rip_] "=&r"(frame.rip),
                   [cs_] "=&r"(frame.cs), [rflags_] "=&r"(frame.rflags), [rsp_] "=&r"(frame.rsp),
                   [ss_] "=&r"(frame.ss)
                 : [at] "r"(at)
                 : "memory", "cc");
    return failed == 0;
}

#undef GUEST_STORE
#undef GUEST_LOAD
#undef LEAVE_BY_FAULT

}  // namespace bulkhead::machine
