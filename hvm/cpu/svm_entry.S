// SPDX-License-Identifier: BSD-2-Clause
// Into an AMD-V guest and back. Interrupts are held off by GIF from before the guest's state is loaded
// until the core's is back; IF is on meanwhile, so that an interrupt makes the guest leave.

// GuestFrame (core/guest_frame.hpp), beside what platform/x86/offsets.hpp has.
#include "platform/x86/offsets.hpp"

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

// void svm_enter(GuestFrame* frame, uint64_t vmcb, uint64_t host_vmcb): physical addresses. Only the
// frame's general registers but RAX are used; the rest is in the VMCB.
    .section .text.svm_enter, "ax", @progbits
    .global svm_enter
svm_enter:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push %rdx
    push %rdi
    mov %rsi, %rax
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
    clgi
    sti
    vmload %rax
    vmrun %rax
    vmsave %rax
    mov %rdi, %rax
    pop %rdi
    mov %rax, FRAME_RDI(%rdi)
    pop %rax
    vmload %rax
    cli
    stgi
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
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .section .note.GNU-stack, "", @progbits
