// SPDX-License-Identifier: BSD-2-Clause
// From the reset vector to C++ in 64-bit mode: for boxes without any other firmware, whose memory works
// from the start, as an emulator's does. Source: Intel SDM vol 3, "First Instruction Executed".
#include "boot/loader/long_mode_macros.hpp"
#include "boot/loader/rom/places.hpp"

#define CR0_CACHE_OFF 0x60000000

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
    go_to_long_mode ROM_PAGE_TABLES, long_mode

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
