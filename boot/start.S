// SPDX-License-Identifier: BSD-2-Clause
// From a boot loader's 32-bit hand-over to C++ at the core's own address. PVH (QEMU, Xen), Multiboot2
// (GRUB), coreboot and our own loaders start this image, all with paging off and flat segments.
// Nothing here may fail silently: without a 64-bit CPU a sentence goes to COM1 and the CPU halts.

#include "boot/entry_kinds.hpp"
#include "platform/x86/layout.hpp"

    .global layout_core_base, layout_core_physical
    .set layout_core_base, LAYOUT_CORE_BASE
    .set layout_core_physical, LAYOUT_CORE_PHYSICAL

// The physical address of a symbol of the core.
#define PHYSICAL(symbol) (symbol - LAYOUT_CORE_BASE + LAYOUT_CORE_PHYSICAL)

#define PTE_PRESENT_WRITABLE  0x3
#define PTE_LARGE             0x83            // present, writable, 2 MiB
#define SLOT(address)         (((address) >> 39) & 511)
#define CORE_SLOT             257
#define DIRECT_MAP_SLOT       262

#define CR0_PG_WP_NE_MP_PE    0x80010023
#define CR4_PAE               0x20
#define IA32_EFER             0xc0000080
#define EFER_LME_NXE          0x900

#define COM1                  0x3f8

// --- What the loaders look for -------------------------------------------------

// Source: Multiboot2 Specification 2.0, "The layout of Multiboot2 header".
    .section .start.headers, "a", @progbits
    .balign 8
multiboot2_header:
    .long 0xe85250d6, 0, multiboot2_header_end - multiboot2_header
    .long -(0xe85250d6 + (multiboot2_header_end - multiboot2_header))
    .balign 8
    .word 3, 0                                // entry address
    .long 12, multiboot2_entry
    .balign 8
    .word 1, 0                                // information request
    .long 20, 6, 14, 15                       // memory map, old and new ACPI pointer
    .balign 8
    .word 0, 0
    .long 8
multiboot2_header_end:

// Source: xen/include/public/elfnote.h, XEN_ELFNOTE_PHYS32_ENTRY. QEMU reads eight bytes.
    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 8, 18
    .asciz "Xen"
    .quad pvh_entry

// --- 32-bit ----------------------------------------------------------------------

    .section .start.text, "ax", @progbits
    .code32

    .global elf_entry
elf_entry:                                    // one of our loaders, coreboot, or who knows
    mov $BOOT_ENTRY_LOADER, %ebp
    cmp $BOOT_LOADER_MAGIC, %eax
    je start
    mov $BOOT_ENTRY_UNKNOWN, %ebp
    jmp start
multiboot2_entry:
    mov $BOOT_ENTRY_MULTIBOOT2, %ebp
    cmp $0x36d76289, %eax
    je start
    mov $BOOT_ENTRY_UNKNOWN, %ebp
    jmp start
pvh_entry:
    mov $BOOT_ENTRY_PVH, %ebp

// ebp: kind, ebx: physical address of the loader's structure. Both survive until boot_main().
start:
    cli
    cld
    mov $PHYSICAL(boot_stack_end), %esp
    rdtsc
    push %edx
    push %eax
    call serial_setup

    mov $no_cpuid, %esi
    pushfl
    pop %eax
    mov %eax, %ecx
    xor $0x200000, %eax                       // EFLAGS.ID can change: there is CPUID
    push %eax
    popfl
    pushfl
    pop %eax
    cmp %eax, %ecx
    je fail
    mov %ebx, %edi
    mov $no_long_mode, %esi
    mov $0x80000000, %eax
    cpuid
    cmp $0x80000001, %eax
    jb fail
    mov $0x80000001, %eax
    cpuid
    test $1 << 29, %edx
    jz fail
    mov $no_execute_disable, %esi
    test $1 << 20, %edx
    jz fail
    mov %edi, %ebx

// Temporary tables: the first 4 GiB at their own address and in the direct map, the image at its
// link address; all with 2 MiB pages.
    mov $PHYSICAL(boot_l2_low), %edi
    mov $PTE_LARGE, %eax
1:  mov %eax, (%edi)
    movl $0, 4(%edi)
    add $8, %edi
    add $0x200000, %eax
    jnc 1b
    mov $PHYSICAL(boot_l3_low), %edi
    mov $PHYSICAL(boot_l2_low) + PTE_PRESENT_WRITABLE, %eax
    mov $4, %ecx
1:  mov %eax, (%edi)
    add $8, %edi
    add $0x1000, %eax
    loop 1b
    movl $PHYSICAL(boot_l3_low) + PTE_PRESENT_WRITABLE, PHYSICAL(boot_l4)
    movl $PHYSICAL(boot_l3_low) + PTE_PRESENT_WRITABLE, PHYSICAL(boot_l4) + 8 * DIRECT_MAP_SLOT
    movl $PHYSICAL(boot_l3_core) + PTE_PRESENT_WRITABLE, PHYSICAL(boot_l4) + 8 * CORE_SLOT
    movl $PHYSICAL(boot_l2_core) + PTE_PRESENT_WRITABLE, PHYSICAL(boot_l3_core)
    movl $LAYOUT_CORE_PHYSICAL + PTE_LARGE, PHYSICAL(boot_l2_core)

    mov $CR4_PAE, %eax
    mov %eax, %cr4
    mov $PHYSICAL(boot_l4), %eax
    mov %eax, %cr3
    mov $IA32_EFER, %ecx
    mov $EFER_LME_NXE, %eax
    xor %edx, %edx
    wrmsr
    mov $CR0_PG_WP_NE_MP_PE, %eax
    mov %eax, %cr0
    pop %edi
    pop %edx
    lgdt boot_gdt_pointer
    ljmp $8, $long_mode

// esi: a zero-terminated text.
fail:
    mov $fail_begin, %edi
    xchg %esi, %edi
    call serial_text
    mov %edi, %esi
    call serial_text
halted:
    hlt
    jmp halted

// 115200 baud, 8 data bits, no parity, one stop bit. Changes eax, edx.
serial_setup:
    mov $0x00, %al
    mov $COM1 + 1, %dx                        // no interrupts
    out %al, %dx
    mov $0x80, %al
    mov $COM1 + 3, %dx                        // divisor latch
    out %al, %dx
    mov $1, %al
    mov $COM1, %dx
    out %al, %dx
    mov $0, %al
    inc %edx
    out %al, %dx
    mov $3, %al
    mov $COM1 + 3, %dx
    out %al, %dx
    mov $7, %al
    mov $COM1 + 2, %dx                        // FIFO on
    out %al, %dx
    mov $3, %al
    mov $COM1 + 4, %dx                        // DTR, RTS
    out %al, %dx
    ret

// esi: text. Waits for room, but not for ever: there may be no UART. Changes eax, ecx, edx, esi.
serial_text:
    lodsb
    test %al, %al
    jz 3f
    mov %al, %ah
    mov $100000, %ecx
    mov $COM1 + 5, %dx
1:  in %dx, %al
    test $0x20, %al
    jnz 2f
    loop 1b
2:  mov %ah, %al
    mov $COM1, %dx
    out %al, %dx
    jmp serial_text
3:  ret

fail_begin:         .asciz "\r\nBulkhead cannot start: "
no_cpuid:           .asciz "this CPU has no CPUID instruction.\r\n"
no_long_mode:       .asciz "this CPU has no 64-bit mode.\r\n"
no_execute_disable: .asciz "this CPU cannot mark pages as not executable, or the firmware has it off.\r\n"

    .balign 8
boot_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdt_pointer:
    .word . - boot_gdt - 1
    .long boot_gdt

// --- 64-bit ----------------------------------------------------------------------

    .code64
long_mode:
    mov $16, %eax
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    movabs $long_mode_high, %rax
    jmp *%rax

    .section .init.text, "ax", @progbits
long_mode_high:
    lea boot_stack_end(%rip), %rsp
    mov %edi, %ecx
    shl $32, %rdx
    or %rcx, %rdx                             // TSC at the entry
    mov %ebp, %edi
    mov %ebx, %esi
    xor %ebp, %ebp
    call boot_main
    ud2

    .bss
    .balign 4096
    .global boot_l4
boot_l4:        .skip 4096
boot_l3_low:    .skip 4096
boot_l2_low:    .skip 4 * 4096
boot_l3_core:   .skip 4096
boot_l2_core:   .skip 4096
    .global boot_stack, boot_stack_end
boot_stack:     .skip 16384
boot_stack_end:

    .section .note.GNU-stack, "", @progbits
