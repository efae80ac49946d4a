// SPDX-License-Identifier: BSD-2-Clause
// The two frames of the PV ABI that every trap and every return moves: straight between registers and
// the running guest's stack. False where an access faults or the range is not the guest's.
#pragma once

#include "core/guest_frame.hpp"
#include "platform/x86/layout.hpp"
#include "platform/x86/smap.hpp"

#include <cstddef>
#include <cstdint>

extern "C" {
#include <xen/xen.h>
}

namespace bulkhead::machine {

// The exception's frame: rcx, r11, an error code where there is one, rip, cs, rflags, rsp, ss. What is
// not given is that of the guest, by way of one register, so that the caller keeps its own.
#define GUEST_STORE(label, offset, what) label ": mov " what ", " offset "(%[at])\n" FIXUP(label "b", "30f")
#define GUEST_COPY(label, offset, field) "mov %c[" field "](%[frame]), %%rax\n" GUEST_STORE(label, offset, "%%rax")
#define GUEST_COPY_SELECTOR(label, offset, field) \
    "movzwl %c[" field "](%[frame]), %%eax\n" GUEST_STORE(label, offset, "%%rax")
// Local label 30 is where a faulting access goes on: closes the guest's memory and leaves.
#define LEAVE_BY_FAULT                             \
    ".pushsection .text.guest_fault, \"ax\"\n"     \
    "30:\n" CLOSE_GUEST_ACCESS "jmp %l[fault]\n"   \
    ".popsection\n"
#define FRAME_OPERANDS                                                                                            \
    [at] "r"(at), [frame] "r"(&frame), [cs_] "r"(cs), [rflags_] "r"(rflags), [rcx_] "i"(offsetof(GuestFrame, rcx)), \
        [r11_] "i"(offsetof(GuestFrame, r11)), [rip_] "i"(offsetof(GuestFrame, rip)),                              \
        [rsp_] "i"(offsetof(GuestFrame, rsp)), [ss_] "i"(offsetof(GuestFrame, ss))

inline constexpr uint64_t exception_frame_bytes = 7 * sizeof(uint64_t);

[[nodiscard, gnu::always_inline]] inline bool store_frame(uint64_t at, const GuestFrame& frame, uint64_t cs,
                                                          uint64_t rflags)
{
    if (!layout::guest_words_ok(at, exception_frame_bytes)) [[unlikely]]
        return false;
    asm goto(OPEN_GUEST_ACCESS
             GUEST_COPY("21", "0", "rcx_") GUEST_COPY("22", "8", "r11_") GUEST_COPY("23", "16", "rip_")
             GUEST_STORE("24", "24", "%[cs_]") GUEST_STORE("25", "32", "%[rflags_]")
             GUEST_COPY("26", "40", "rsp_") GUEST_COPY_SELECTOR("27", "48", "ss_")
             CLOSE_GUEST_ACCESS LEAVE_BY_FAULT
             :
             : FRAME_OPERANDS
             : "memory", "rax"
             : fault);
    return true;
fault:
    return false;
}

[[nodiscard, gnu::always_inline]] inline bool store_frame(uint64_t at, const GuestFrame& frame, uint64_t cs,
                                                          uint64_t rflags, uint64_t error_code)
{
    if (!layout::guest_words_ok(at, exception_frame_bytes + sizeof(error_code))) [[unlikely]]
        return false;
    asm goto(OPEN_GUEST_ACCESS
             GUEST_COPY("21", "0", "rcx_") GUEST_COPY("22", "8", "r11_") GUEST_STORE("23", "16", "%[error_]")
             GUEST_COPY("24", "24", "rip_") GUEST_STORE("25", "32", "%[cs_]") GUEST_STORE("26", "40", "%[rflags_]")
             GUEST_COPY("27", "48", "rsp_") GUEST_COPY_SELECTOR("28", "56", "ss_")
             CLOSE_GUEST_ACCESS LEAVE_BY_FAULT
             :
             : FRAME_OPERANDS, [error_] "r"(error_code)
             : "memory", "rax"
             : fault);
    return true;
fault:
    return false;
}

// What of an iret_context has to be looked at; the rest goes straight to the guest's frame.
// Source: xen/include/public/arch-x86/xen-x86_64.h, struct iret_context.
struct IretContext {
    uint64_t flags, cs, rflags, ss;
};

#define CONTEXT(field) "i"(offsetof(iret_context, field))
#define GUEST_LOAD(label, offset, name) label ": mov %c[" offset "](%[at]), %[" name "]\n" FIXUP(label "b", "30f")
#define GUEST_TAKE(label, offset, field)                                             \
    label ": mov %c[" offset "](%[at]), %%rax\n" FIXUP(label "b", "30f")             \
    "mov %%rax, %c[" field "](%[frame])\n"

// Fills in rax, rcx, r11, rip and rsp of the frame as well; some of them even if it fails, but not rsp.
[[nodiscard, gnu::always_inline]] inline bool load_frame(IretContext& context, GuestFrame& frame)
{
    const uint64_t at = frame.rsp;
    if (!layout::guest_words_ok(at, sizeof(iret_context))) [[unlikely]]
        return false;
    // Into variables of their own: GCC 12 fails on fields as outputs of an asm goto.
    uint64_t flags, cs, rflags, ss;
    asm goto(OPEN_GUEST_ACCESS
             GUEST_TAKE("21", "c_rax", "f_rax") GUEST_TAKE("22", "c_r11", "f_r11")
             GUEST_TAKE("23", "c_rcx", "f_rcx") GUEST_LOAD("24", "c_flags", "flags_")
             GUEST_TAKE("25", "c_rip", "f_rip") GUEST_LOAD("26", "c_cs", "cs_")
             GUEST_LOAD("27", "c_rflags", "rflags_") GUEST_LOAD("28", "c_ss", "ss_")
             GUEST_TAKE("29", "c_rsp", "f_rsp")
             CLOSE_GUEST_ACCESS LEAVE_BY_FAULT
             : [flags_] "=&r"(flags), [cs_] "=&r"(cs), [rflags_] "=&r"(rflags), [ss_] "=&r"(ss)
             : [at] "r"(at), [frame] "r"(&frame), [c_rax] CONTEXT(rax), [c_r11] CONTEXT(r11),
               [c_rcx] CONTEXT(rcx), [c_flags] CONTEXT(flags), [c_rip] CONTEXT(rip), [c_cs] CONTEXT(cs),
               [c_rflags] CONTEXT(rflags), [c_rsp] CONTEXT(rsp), [c_ss] CONTEXT(ss),
               [f_rax] "i"(offsetof(GuestFrame, rax)), [f_r11] "i"(offsetof(GuestFrame, r11)),
               [f_rcx] "i"(offsetof(GuestFrame, rcx)), [f_rip] "i"(offsetof(GuestFrame, rip)),
               [f_rsp] "i"(offsetof(GuestFrame, rsp))
             : "memory", "rax"
             : fault);
    context = {flags, cs, rflags, ss};
    return true;
fault:
    return false;
}

#undef CONTEXT
#undef GUEST_TAKE
#undef GUEST_COPY
#undef GUEST_COPY_SELECTOR
#undef FRAME_OPERANDS
#undef GUEST_STORE
#undef GUEST_LOAD
#undef LEAVE_BY_FAULT

}  // namespace bulkhead::machine
