/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the hypervisor enters the program: exceptions, events, a failed return; and the first
 * instructions of further vCPUs. On the stack at entry: rcx, r11, [error code], rip, cs, rflags, rsp, ss.
 * Source: xen/include/public/arch-x86/xen-x86_64.h. */

    .text

/* Ends in handle_trap(), which does not return. Registers on the stack are TrapFrame of traps.cpp. */
    .globl  trap_common
trap_common:
    push    %rax
    push    %rcx
    push    %rdx
    push    %rbx
    push    %rbp
    push    %rsi
    push    %rdi
    push    %r8
    push    %r9
    push    %r10
    push    %r11
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    cld
    mov     %rsp, %rdi
    and     $-16, %rsp
    call    handle_trap
    ud2

    .macro  entry vector
    .balign 16
    pop     %rcx
    pop     %r11
    .if (\vector == 8) || ((\vector >= 10) && (\vector <= 14)) || (\vector == 17) || (\vector == 21)
    .else
    pushq   $0
    .endif
    pushq   $\vector
    jmp     trap_common
    .endm

/* 16 bytes an entry. */
    .balign 16
    .globl  trap_entries
trap_entries:
    .altmacro
    .set    number, 0
    .rept   32
    entry   %number
    .set    number, number + 1
    .endr
    .noaltmacro

/* ds, es, fs, gs lie below the frame. */
    .globl  failsafe_entry
failsafe_entry:
    pop     %rcx
    pop     %r11
    add     $32, %rsp
    pushq   $0
    pushq   $256
    jmp     trap_common

/* Comes only where SCHEDOP_block has unmasked events, and has nothing to do but to leave them masked:
 * who blocked looks at what is pending. Goes back without the iret hypercall, with every register
 * and flag as it was. The interrupted rip goes below the interrupted stack pointer, where nothing
 * of the frame but ss can be, and is taken from there. */
    .globl  event_entry
event_entry:
    mov     40(%rsp), %rcx              /* rsp */
    mov     16(%rsp), %r11              /* rip */
    lea     -8(%rcx), %rcx
    mov     %r11, (%rcx)
    mov     %rcx, 16(%rsp)
    pop     %rcx
    pop     %r11
    pop     %rsp
    ret

/* rdi: the vCPU's VcpuLocal; the stack is its own. */
    .globl  start_further_vcpu
start_further_vcpu:
    cld
    xor     %ebp, %ebp
    call    run_further_vcpu
    ud2

/* call_on_stack(stack end, function): never comes back. */
    .globl  call_on_stack
call_on_stack:
    mov     %rdi, %rsp
    xor     %ebp, %ebp
    call    *%rsi
    ud2

    .section .note.GNU-stack, "", @progbits
