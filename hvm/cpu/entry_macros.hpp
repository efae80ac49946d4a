// SPDX-License-Identifier: BSD-2-Clause
// Assembly that entries into guests of both vendors share.
#pragma once

// GuestFrame (core/guest_frame.hpp), beside what platform/x86/offsets.hpp has.
#include "platform/x86/offsets.hpp"

// clang-format off
#define FRAME_R15 0
#define FRAME_R14 8
#define FRAME_R13 16
#define FRAME_R12 24
#define FRAME_RBP 32
#define FRAME_RBX 40
#define FRAME_RSI 80
#define FRAME_RDX 88
#define FRAME_R10 96
#define FRAME_R8  104
#define FRAME_R9  112
// clang-format on

.macro SAVE_CORE_REGISTERS
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
.endm

.macro RESTORE_CORE_REGISTERS
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
.endm

// All but RAX, whose place depends on the vendor; the flags stay.
.macro LOAD_GUEST_REGISTERS_BUT_RAX
    mov FRAME_R15(%rdi), %r15
    mov FRAME_R14(%rdi), %r14
    mov FRAME_R13(%rdi), %r13
    mov FRAME_R12(%rdi), %r12
    mov FRAME_RBP(%rdi), %rbp
    mov FRAME_RBX(%rdi), %rbx
    mov FRAME_R11(%rdi), %r11
    mov FRAME_RCX(%rdi), %rcx
    mov FRAME_RSI(%rdi), %rsi
    mov FRAME_RDX(%rdi), %rdx
    mov FRAME_R10(%rdi), %r10
    mov FRAME_R8(%rdi), %r8
    mov FRAME_R9(%rdi), %r9
    mov FRAME_RDI(%rdi), %rdi
.endm

// All but RAX and RDI.
.macro STORE_GUEST_REGISTERS
    mov %r15, FRAME_R15(%rdi)
    mov %r14, FRAME_R14(%rdi)
    mov %r13, FRAME_R13(%rdi)
    mov %r12, FRAME_R12(%rdi)
    mov %rbp, FRAME_RBP(%rdi)
    mov %rbx, FRAME_RBX(%rdi)
    mov %r11, FRAME_R11(%rdi)
    mov %rcx, FRAME_RCX(%rdi)
    mov %rsi, FRAME_RSI(%rdi)
    mov %rdx, FRAME_RDX(%rdi)
    mov %r10, FRAME_R10(%rdi)
    mov %r8, FRAME_R8(%rdi)
    mov %r9, FRAME_R9(%rdi)
.endm

// Before the first return after a guest: what it left on the stack of return predictions goes. Calls
// that return to where nothing happens, on CPUs that need it. Uses no register.
.macro FILL_RETURN_STACK
    cmpb $0, guest_trains_returns(%rip)
    je 16f
    .rept 32
    call 12f
11:
    pause
    lfence
    jmp 11b
12:
    .endr
    add $(32 * 8), %rsp
16:
.endm
