// SPDX-License-Identifier: BSD-2-Clause
// Takes coreboot's place in a test: enters a payload that is in memory already, as coreboot does, in
// 32-bit mode with flat segments and without paging. ENTRY is the payload's entry point.
    .code16
    .text
stage:
    cli
    lgdtl %cs:(gdt_pointer - stage)
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $8, $protected
    .code32
protected:
    mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov $0x7000, %esp
    mov $ENTRY, %ecx
    jmp *%ecx
    .balign 8
gdt:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
    .word . - gdt - 1
    .long gdt
    .org 0xfff0
    .byte 0xe9                                // to offset 0 of the segment
    .word 0x10000 - 0xfff3
    .org 0x10000
