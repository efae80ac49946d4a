// SPDX-License-Identifier: BSD-2-Clause
// From the reset vector to C++ in 64-bit mode: for boxes without any other firmware, whose memory works
// from the start, as an emulator's does. Source: Intel SDM vol 3, "First Instruction Executed".
#include "boot/loader/rom/places.hpp"

#define SELECTOR_CODE64 0x08
#define SELECTOR_DATA   0x10
#define SELECTOR_CODE32 0x18

#define PTE_PRESENT_WRITABLE 0x3
#define PTE_LARGE            0x83
#define CR0_CACHE_OFF        0x60000000
#define CR0_PE               0x1
#define CR0_PG               0x80000000
#define CR4_PAE              0x20
#define IA32_EFER            0xc0000080
#define EFER_LME             0x100

    .section .rom_reset, "ax", @progbits
    .code16
    .global reset_vector
reset_vector:
    .byte 0xe9                                // jmp to offset 0 of the segment, across its end
    .word 0x10000 - 0xfff3
    .balign 16

// The beginning of the same 64 KiB: CS can reach no more before protected mode.
    .section .rom_start, "ax", @progbits
    .code16
rom_start:
    cli
    cld
    lgdtl %cs:(gdt_pointer - rom_start)
    mov %cr0, %eax
    and $~CR0_CACHE_OFF, %eax
    or $CR0_PE, %al
    mov %eax, %cr0
    ljmpl $SELECTOR_CODE32, $protected

    .code32
protected:
    mov $SELECTOR_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $loader_run_begin, %edi
    mov $loader_rom_begin, %esi
    mov $loader_run_bytes, %ecx
    rep movsb
    xor %eax, %eax
    mov $loader_bss_begin, %edi
    mov $loader_bss_bytes, %ecx
    rep stosb
    mov $ROM_PAGE_TABLES, %edi
    mov $2 * 1024, %ecx
    rep stosl
    movl $ROM_PAGE_TABLES + 0x1000 + PTE_PRESENT_WRITABLE, ROM_PAGE_TABLES
    mov $ROM_PAGE_TABLES + 0x1000, %edi
    mov $ROM_PAGE_TABLES + 0x2000 + PTE_PRESENT_WRITABLE, %eax
    mov $4, %ecx
1:  mov %eax, (%edi)
    add $8, %edi
    add $0x1000, %eax
    loop 1b
    mov $ROM_PAGE_TABLES + 0x2000, %edi
    mov $PTE_LARGE, %eax
2:  mov %eax, (%edi)
    movl $0, 4(%edi)
    add $8, %edi
    add $0x200000, %eax
    jnc 2b
    mov $CR4_PAE, %eax
    mov %eax, %cr4
    mov $ROM_PAGE_TABLES, %eax
    mov %eax, %cr3
    mov $IA32_EFER, %ecx
    mov $EFER_LME, %eax
    xor %edx, %edx
    wrmsr
    mov %cr0, %eax
    or $CR0_PG, %eax
    mov %eax, %cr0
    ljmp $SELECTOR_CODE64, $long_mode

    .code64
long_mode:
    mov $ROM_STACK_END, %esp
    xor %ebp, %ebp
    mov $rom_main, %eax
    call *%rax
    ud2

    .balign 8
gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
gdt_pointer:
    .word . - gdt - 1
    .long gdt

    .section .note.GNU-stack, "", @progbits
