/* SPDX-License-Identifier: BSD-2-Clause */
/* Entry points of a guest's kernel: exceptions, events, SYSCALL from its user mode; and the way back
 * by the iret hypercall. On the stack at entry: rcx, r11, [error code], rip, cs, rflags, rsp, ss. */

#define IRET (23 * 32)

    .text

/* TrapFrame of traps.hpp, from its end: ss, rsp, rflags, cs, rip, error code, vector, registers. */
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
    mov     %rsp, %rbx
    and     $-16, %rsp
    call    handle_trap
    mov     %rbx, %rsp
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %r11
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rdi
    pop     %rsi
    pop     %rbp
    pop     %rbx
    pop     %rdx
    pop     %rcx
    pop     %rax
    add     $16, %rsp
    pushq   $0                          /* flags of the iret hypercall */
    jmp     hypercall_page + IRET

    .macro  entry vector
    .balign 16
1:  pop     %rcx
    pop     %r11
    .if (\vector == 8) || ((\vector >= 10) && (\vector <= 14)) || (\vector == 17) || (\vector == 21)
    .else
    pushq   $0
    .endif
    pushq   $\vector
    jmp     trap_common
    .pushsection .rodata
    .quad   1b
    .popsection
    .endm

    .section .rodata
    .balign 8
    .globl  trap_entries
trap_entries:
    .text
    .altmacro
    .set    number, 0
    .rept   256
    entry   %number
    .set    number, number + 1
    .endr
    .noaltmacro

/* Others have numbers of their own: 256 events, 257 NMI. */
    .globl  event_entry
event_entry:
    pop     %rcx
    pop     %r11
    pushq   $0
    pushq   $256
    jmp     trap_common
    .globl  nmi_entry
nmi_entry:
    pop     %rcx
    pop     %r11
    pushq   $0
    pushq   $257
    jmp     trap_common

/* 260 SYSCALL and 261 SYSENTER of 32-bit user code; the latter's frame has no rip and no rsp. */
    .globl  syscall32_entry
syscall32_entry:
    pop     %rcx
    pop     %r11
    pushq   $0
    pushq   $260
    jmp     trap_common
    .globl  sysenter_entry
sysenter_entry:
    pop     %rcx
    pop     %r11
    pushq   $0
    pushq   $261
    jmp     trap_common

/* The iret hypercall could not load its frame: ds, es, fs, gs lie below it. */
    .globl  failsafe_entry
failsafe_entry:
    pop     %rcx
    pop     %r11
    add     $32, %rsp
    pushq   $0
    pushq   $258
    jmp     trap_common

/* bool run_caught(void (*function)(void*), void* argument): false if it ended, true if a trap's
 * handler continued at catch_landing. */
    .globl  run_caught, catch_landing
run_caught:
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    mov     catch_stack(%rip), %rax
    push    %rax
    mov     %rsp, catch_stack(%rip)
    mov     %rdi, %rax
    mov     %rsi, %rdi
    call    *%rax
    xor     %eax, %eax
    jmp     1f
catch_landing:
    mov     catch_stack(%rip), %rsp
    cld
    mov     $1, %eax
1:  pop     %rcx
    mov     %rcx, catch_stack(%rip)
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    ret

/* --- User mode ----------------------------------------------------------------------------------- */

/* uint64_t run_user(uint64_t rip, uint64_t rsp, uint64_t argument): in user mode until its SYSCALL
 * with rax == exit_number; returns what rdi holds then. */
    .globl  run_user, syscall_entry, user_landing
run_user:
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    mov     %rsp, user_return_stack(%rip)
    mov     %rsi, %rcx
    mov     %rdi, %rax
    mov     %rdx, %rdi
    pushq   user_ss(%rip)
    push    %rcx                        /* rsp */
    pushq   $0x202
    pushq   user_cs(%rip)
    push    %rax                        /* rip */
    pushq   user_iret_flags(%rip)
    jmp     hypercall_page + IRET

/* At entry: rcx, r11, rip, cs, rflags, rsp, ss. */
syscall_entry:
    cmp     $0x4000, %rax               /* exit_number */
    je      user_landing
    pop     %rcx
    pop     %r11
    pushq   $0
    pushq   $259
    jmp     trap_common
user_landing:
    mov     user_return_stack(%rip), %rsp
    cld
    mov     %rdi, %rax
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    ret

    .data
    .globl  catch_stack, user_cs, user_ss, user_iret_flags
    .balign 8
catch_stack:        .quad 0
user_return_stack:  .quad 0
user_cs:            .quad 0xe033
user_ss:            .quad 0xe02b
user_iret_flags:    .quad 0

    .section .note.GNU-stack, "", @progbits
