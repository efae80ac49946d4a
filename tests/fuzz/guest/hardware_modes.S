/* SPDX-License-Identifier: BSD-2-Clause */
/* Into the mode that the block describes, to random code, and back from whatever it did. All that other modes
 * execute is copied to TRAMPOLINE. */
#include "hardware_layout.h"

    .text
    .code64
    /* uint32_t run_random(const uint64_t high_registers[8]): the vector that ended it. */
    .globl  run_random
run_random:
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    mov     %rsp, saved_rsp
    mov     0(%rdi), %r8
    mov     8(%rdi), %r9
    mov     16(%rdi), %r10
    mov     24(%rdi), %r11
    mov     32(%rdi), %r12
    mov     40(%rdi), %r13
    mov     48(%rdi), %r14
    mov     56(%rdi), %r15
    lgdt    low_descriptors
    mov     $DATA32, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    mov     %eax, %fs
    mov     %eax, %gs
    mov     $EXCEPTION_STACK, %esp
    pushq   $CODE32
    pushq   $TRAMPOLINE + into - trampoline
    lretq

    .globl  back_in_kernel
back_in_kernel:
    cmp     $STARTED, %ebx
    jne     1f
    mov     $0x802, %ecx
    rdmsr
    test    %eax, %eax
    jz      1f
    mov     $second_stack_end, %rsp
    xor     %ebp, %ebp
    call    second_main
    ud2
1:  mov     saved_rsp, %rsp
    pushq   $2
    popfq
    mov     %ebx, %eax
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    ret

    .section .rodata
    .balign 8
low_descriptors:
    .word   DESCRIPTORS_END - 1
    .quad   DESCRIPTORS

    .globl  trampoline, trampoline_end
    .code16
trampoline:
    /* A start-up IPI: the second vCPU's, or what gets the first one back. */
    mov     $STARTED, %ebx
landing_16:
    cli
    lgdtl   %cs:(TRAMPOLINE + low_pointer - trampoline) & 0xfff
    jmp     2f
landing_real:
    cli
    lgdtl   %cs:TRAMPOLINE + low_pointer - trampoline
2:  mov     %cr0, %eax
    or      $CR0_PE, %eax
    mov     %eax, %cr0
    ljmpl   $CODE32, $TRAMPOLINE + landing_32 - trampoline
low_pointer:
    .word   DESCRIPTORS_END - 1
    .long   DESCRIPTORS
zero_gates:
    .word   0x3ff
    .long   0

    .code32
into:
    mov     %cr0, %eax
    and     $~CR0_PG, %eax
    mov     %eax, %cr0
    mov     $EFER, %ecx
    mov     BLOCK+BLOCK_EFER, %eax
    xor     %edx, %edx
    wrmsr
    mov     BLOCK+BLOCK_CR3, %eax
    mov     %eax, %cr3
    mov     BLOCK+BLOCK_CR4, %eax
    mov     %eax, %cr4
    cmpl    $0, BLOCK+BLOCK_REAL
    jne     into_real
    lidtl   BLOCK+BLOCK_GATES
    mov     BLOCK+BLOCK_CR0, %eax
    mov     %eax, %cr0
    ltr     BLOCK+BLOCK_TASK
    mov     BLOCK+BLOCK_ESP, %esp
    mov     BLOCK+BLOCK_DS, %eax
    mov     %eax, %es
    mov     %eax, %ds
    popal
    iretl

into_real:
    mov     $DATA16, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    ljmp    $CODE16_FLAT, $TRAMPOLINE + 1f - trampoline
    .code16
1:  lidtl   TRAMPOLINE + zero_gates - trampoline
    mov     BLOCK+BLOCK_CR0, %eax
    mov     %eax, %cr0
    ljmp    $0, $TRAMPOLINE + 1f - trampoline
1:  xor     %ax, %ax
    mov     %ax, %ds
    mov     BLOCK+BLOCK_DS, %ax
    mov     %ax, %es
    mov     BLOCK+BLOCK_SS, %ss
    mov     BLOCK+BLOCK_ESP, %esp
    mov     %ax, %ds
    popal
    iretw

    /* From any exception and interrupt with 32-bit code, EBX the vector. */
    .code32
landing_32:
    mov     $DATA32, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    mov     $EXCEPTION_STACK, %esp
    mov     %cr0, %eax
    and     $~CR0_PG, %eax
    mov     %eax, %cr0
    mov     $CR4_PAE, %eax
    mov     %eax, %cr4
    mov     $table_4, %eax
    mov     %eax, %cr3
    mov     $EFER, %ecx
    mov     $EFER_LME, %eax
    xor     %edx, %edx
    wrmsr
    mov     $CR0_PG | CR0_PE | 0x10, %eax
    mov     %eax, %cr0
    ljmp    $CODE64, $back_in_kernel

    .code64
landing_64:
    mov     $DATA32, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    mov     $CR0_PG | CR0_PE | 0x10, %eax
    mov     %rax, %cr0
    mov     $table_4, %eax
    mov     %rax, %cr3
    mov     $CR4_PAE, %eax
    mov     %rax, %cr4
    mov     $EFER, %ecx
    mov     $EFER_LME, %eax
    xor     %edx, %edx
    wrmsr
    mov     $back_in_kernel, %eax
    jmp     *%rax

    /* One for each of the first 32 vectors, and one for the others. */
    .code32
    .altmacro
    .macro  stub_32 vector
    .balign STUB_BYTES
    mov     $\vector, %ebx
    jmp     landing_32
    .endm
    .macro  stub_64 vector
    .balign STUB_BYTES
    mov     $\vector, %ebx
    jmp     landing_64
    .endm
    .macro  stub_16 vector
    .balign STUB_BYTES
    mov     $\vector, %ebx
    jmp     landing_real
    .endm
    .globl  stubs_16, stubs_32, stubs_64
    .balign STUB_BYTES
stubs_32:
    .set    number, 0
    .rept   33
    stub_32 %number
    .set    number, number + 1
    .endr
    .code64
    .balign STUB_BYTES
stubs_64:
    .set    number, 0
    .rept   33
    stub_64 %number
    .set    number, number + 1
    .endr
    .code16
    .balign STUB_BYTES
stubs_16:
    .set    number, 0
    .rept   33
    stub_16 %number
    .set    number, number + 1
    .endr
    .noaltmacro
trampoline_end:

    .bss
    .balign 16
saved_rsp:  .skip 8
    .balign 4096
    .skip   16384
second_stack_end:

    .section .note.GNU-stack, "", @progbits
