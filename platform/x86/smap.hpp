// SPDX-License-Identifier: BSD-2-Clause
// STAC and CLAC stand in the text as NOPs of three bytes and become real when the CPU has SMAP:
// 0f 1f 00 (nopl (%rax)) becomes CLAC, 0f 1f 03 (nopl (%rbx)) becomes STAC.
#pragma once

#define SMAP_PLACE(last)                                    \
    "661: .byte 0x0f, 0x1f, " last "\n"                     \
    ".pushsection .smap_patch, \"a\"\n .quad 661b\n"        \
    ".popsection\n"
#define OPEN_GUEST_ACCESS SMAP_PLACE("0x03")
#define CLOSE_GUEST_ACCESS SMAP_PLACE("0x00")

// A fault at local label `fault` continues at local label `target`.
#define FIXUP(fault, target)                                \
    ".pushsection .exception_table, \"a\"\n"                \
    ".quad " fault ", " target "\n"                         \
    ".popsection\n"
