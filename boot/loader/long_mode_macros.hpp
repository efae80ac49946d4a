// SPDX-License-Identifier: BSD-2-Clause
// Assembly that loaders share which begin in real mode: from 32-bit protected mode to 64-bit mode, with the
// first 4 GiB at their own addresses in 2 MiB pages.
#pragma once

// clang-format off
#define SELECTOR_CODE64      0x08
#define SELECTOR_DATA        0x10
#define SELECTOR_CODE32      0x18

#define PTE_PRESENT_WRITABLE 0x3
#define PTE_LARGE            0x83
#define CR0_PE               0x1
#define CR0_PG               0x80000000
#define CR4_PAE              0x20
#define IA32_EFER            0xc0000080
#define EFER_LME             0x100
// clang-format on

// tables: six pages below 4 GiB. Goes on at `then`, in 64-bit mode. Direction flag clear.
    .macro go_to_long_mode tables, then
    mov $\tables, %edi
    xor %eax, %eax
    mov $2 * 1024, %ecx
    rep stosl
    movl $\tables + 0x1000 + PTE_PRESENT_WRITABLE, \tables
    mov $\tables + 0x1000, %edi
    mov $\tables + 0x2000 + PTE_PRESENT_WRITABLE, %eax
    mov $4, %ecx
1:  mov %eax, (%edi)
    add $8, %edi
    add $0x1000, %eax
    loop 1b
    mov $\tables + 0x2000, %edi
    mov $PTE_LARGE, %eax
2:  mov %eax, (%edi)
    movl $0, 4(%edi)
    add $8, %edi
    add $0x200000, %eax
    jnc 2b
    mov $CR4_PAE, %eax
    mov %eax, %cr4
    mov $\tables, %eax
    mov %eax, %cr3
    mov $IA32_EFER, %ecx
    mov $EFER_LME, %eax
    xor %edx, %edx
    wrmsr
    mov %cr0, %eax
    or $CR0_PG, %eax
    mov %eax, %cr0
    ljmp $SELECTOR_CODE64, $\then
    .endm
