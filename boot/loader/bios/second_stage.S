// SPDX-License-Identifier: BSD-2-Clause
// From the boot sector in real mode to C++ in 64-bit mode, and from there back for single calls of
// the BIOS. The first 4 GiB are mapped at their own addresses. Below 64 KiB, so that CS is 0.
#include "boot/loader/bios/places.hpp"
#include "boot/loader/long_mode_macros.hpp"

#define SELECTOR_CODE16 0x20
#define SELECTOR_DATA16 0x28

    .section .low, "awx", @progbits
    .code16
    .global second_stage
second_stage:                                 // dl: the drive
    cli
    mov %dl, drive
    mov $no_long_mode, %si
    pushfl
    pop %eax
    mov %eax, %ecx
    xor $0x200000, %eax
    push %eax
    popfl
    pushfl
    pop %eax
    cmp %eax, %ecx
    je fail
    mov $0x80000000, %eax
    cpuid
    cmp $0x80000001, %eax
    jb fail
    mov $0x80000001, %eax
    cpuid
    test $1 << 29, %edx
    jz fail

    mov $0x2401, %ax                          // A20 by the BIOS, and by the port of most chipsets
    int $0x15
    in $0x92, %al
    test $2, %al
    jnz 1f
    or $2, %al
    and $0xfe, %al
    out %al, $0x92
1:  cli
    lgdtl gdt_pointer
    mov %cr0, %eax
    or $CR0_PE, %al
    mov %eax, %cr0
    ljmpl $SELECTOR_CODE32, $protected

fail:                                         // si: text
    lodsb
    test %al, %al
    jz 2f
    mov $0x0e, %ah
    mov $7, %bx
    int $0x10
    jmp fail
2:  hlt
    jmp 2b
no_long_mode: .asciz "Bulkhead cannot start: this CPU has no 64-bit mode.\r\n"

    .code32
protected:
    mov $SELECTOR_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    go_to_long_mode BIOS_PAGE_TABLES, long_mode

    .code64
long_mode:
    mov $BIOS_STACK_END, %esp
    xor %ebp, %ebp
    movzbl drive(%rip), %edi
    call bios_main
    ud2

// void bios_interrupt(uint8_t number): with the registers in bios_registers, in and out.
    .global bios_interrupt
bios_interrupt:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %dil, interrupt_number(%rip)
    mov %rsp, saved_stack(%rip)
    push $SELECTOR_CODE32
    lea 1f(%rip), %rax
    push %rax
    lretq
    .code32
1:  mov %cr0, %eax
    and $~CR0_PG, %eax
    mov %eax, %cr0
    ljmp $SELECTOR_CODE16, $2f
    .code16
2:  mov $SELECTOR_DATA16, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov %cr0, %eax
    and $~CR0_PE, %al
    mov %eax, %cr0
    ljmp $0, $3f
3:  xor %ax, %ax
    mov %ax, %ds
    mov %ax, %ss
    mov %ax, %fs
    mov %ax, %gs
    mov $BIOS_BOOT_SECTOR, %sp
    lidtl real_mode_idt
    mov registers_eax, %eax
    mov registers_ebx, %ebx
    mov registers_ecx, %ecx
    mov registers_edx, %edx
    mov registers_esi, %esi
    mov registers_edi, %edi
    mov registers_es, %es
    sti
    .byte 0xcd                                // int
interrupt_number:
    .byte 0
    cli
    cld
    push %ds
    push $0
    pop %ds
    mov %eax, registers_eax
    mov %ebx, registers_ebx
    mov %ecx, registers_ecx
    mov %edx, registers_edx
    mov %esi, registers_esi
    mov %edi, registers_edi
    pushfl
    popl registers_flags
    pop %ds
    xor %ax, %ax
    mov %ax, %ds
    lgdtl gdt_pointer
    mov %cr0, %eax
    or $CR0_PE, %al
    mov %eax, %cr0
    ljmpl $SELECTOR_CODE32, $4f
    .code32
4:  mov $SELECTOR_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %cr0, %eax
    or $CR0_PG, %eax
    mov %eax, %cr0
    ljmp $SELECTOR_CODE64, $5f
    .code64
5:  mov saved_stack(%rip), %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .balign 8
saved_stack:    .quad 0
    .global bios_registers
bios_registers:                               // struct BiosRegisters
registers_eax:  .long 0
registers_ebx:  .long 0
registers_ecx:  .long 0
registers_edx:  .long 0
registers_esi:  .long 0
registers_edi:  .long 0
registers_es:   .long 0
registers_flags: .long 0
    .global bios_packet
bios_packet:    .skip 32                      // what INT 13h and INT 15h read and write: within 64 KiB
    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff, 0x00cf93000000ffff
    .quad 0x00cf9b000000ffff, 0x00009b000000ffff, 0x000093000000ffff
gdt_pointer:
    .word . - gdt - 1
    .long gdt
real_mode_idt:
    .word 0x3ff
    .long 0
drive:          .byte 0

    .section .note.GNU-stack, "", @progbits
