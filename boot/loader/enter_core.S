// SPDX-License-Identifier: BSD-2-Clause
// Copied into the work area and run there (see enter_core.cpp): refers to nothing outside itself.
// rdi: its arguments. In 64-bit mode on the firmware's state, out in 32-bit mode without paging.
#include "boot/entry_kinds.hpp"

#define ARGUMENT_CR3       0
#define ARGUMENT_STACK     8
#define ARGUMENT_FROM     16
#define ARGUMENT_BYTES    24
#define ARGUMENT_TO       32
#define ARGUMENT_ZERO     40
#define ARGUMENT_ENTRY    48
#define ARGUMENT_HANDOVER 56

#define CR0_WITHOUT_PAGING 0x11               // protection, extension type
#define CR4_PCIDE  0x20000
#define CR4_CET    0x800000
#define IA32_EFER  0xc0000080

    .section .text.enter_core, "ax", @progbits
    .global enter_core_begin, enter_core_end
    .code64
enter_core_begin:
    cli
    cld
    mov %rdi, %rbx
    mov %cr4, %rax                            // both forbid to switch paging off
    and $~(CR4_CET | CR4_PCIDE), %rax
    mov %rax, %cr4
    mov ARGUMENT_CR3(%rbx), %rax
    mov %rax, %cr3
    mov ARGUMENT_STACK(%rbx), %rsp
    mov ARGUMENT_FROM(%rbx), %rsi
    mov ARGUMENT_TO(%rbx), %rdi
    mov ARGUMENT_BYTES(%rbx), %rcx
    rep movsb
    mov ARGUMENT_ZERO(%rbx), %rcx
    xor %eax, %eax
    rep stosb
    lea gdt(%rip), %rax
    mov %rax, gdt_pointer + 2(%rip)
    lgdt gdt_pointer(%rip)
    lea without_paging(%rip), %rax
    push $8
    push %rax
    lretq

    .code32
without_paging:
    mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    mov $CR0_WITHOUT_PAGING, %eax
    mov %eax, %cr0
    mov $IA32_EFER, %ecx
    xor %eax, %eax
    xor %edx, %edx
    wrmsr
    xor %eax, %eax
    mov %eax, %cr4
    mov ARGUMENT_ENTRY(%ebx), %ecx
    mov ARGUMENT_HANDOVER(%ebx), %ebx
    mov $BOOT_LOADER_MAGIC, %eax
    jmp *%ecx

    .balign 8
gdt:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
    .word . - gdt - 1
    .quad 0
enter_core_end:

    .section .note.GNU-stack, "", @progbits
