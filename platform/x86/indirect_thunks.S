// SPDX-License-Identifier: BSD-2-Clause
// Where the compiler's indirect calls and jumps go (-mindirect-branch=thunk-extern): retpolines, which
// speculate into a loop and nowhere else. A CPU that keeps guests' training out by itself gets plain
// jumps (mitigations.cpp). Source: Intel, "Retpoline: A Branch Target Injection Mitigation".

    .section .text.entry, "ax", @progbits

.macro THUNK register
    .balign 32
    .global __x86_indirect_thunk_\register
    .hidden __x86_indirect_thunk_\register
__x86_indirect_thunk_\register:
    call 1f
2:
    pause
    lfence
    jmp 2b
1:
    mov %\register, (%rsp)
    ret
    .balign 8, 0xcc
    jmp *%\register
.endm

    .balign 32
    .global indirect_thunks_begin, indirect_thunks_end
indirect_thunks_begin:
    .irp register, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    THUNK \register
    .endr
    .balign 32
indirect_thunks_end:

    .section .note.GNU-stack, "", @progbits
