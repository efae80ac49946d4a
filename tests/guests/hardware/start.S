/* SPDX-License-Identifier: BSD-2-Clause */
/* A pvh guest: from its PVH entry to 64-bit code, and its exception table. Everything lies at its physical
 * address. */
#include "layout.h"

#include <xen/elfnote.h>

    .section .text.start, "ax"
    .code32
    .globl _start
_start:
    cld
    mov     $stack_end, %esp
    mov     %ebx, start_info_address
    lgdt    gdt_pointer
    /* 2 MiB pages for the first GiB. */
    mov     $table_3 + 7, %eax
    mov     %eax, table_4
    mov     $table_2 + 7, %eax
    mov     %eax, table_3
    xor     %ecx, %ecx
1:  mov     %ecx, %eax
    shl     $21, %eax
    or      $0x87, %eax
    mov     %eax, table_2(,%ecx,8)
    inc     %ecx
    cmp     $512, %ecx
    jne     1b
    call    enter_long_mode
    ljmp    $CODE64, $1f
    .code64
1:  mov     $DATA32, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    xor     %ebp, %ebp
    call    guest_main
    ud2

    .code32
    .globl  enter_long_mode
enter_long_mode:
    mov     $CR4_PAE, %eax
    mov     %eax, %cr4
    mov     $table_4, %eax
    mov     %eax, %cr3
    mov     $EFER, %ecx
    rdmsr
    or      $EFER_LME, %eax
    wrmsr
    mov     %cr0, %eax
    or      $CR0_PG, %eax
    mov     %eax, %cr0
    ret

    .text
    .code64
    /* Exceptions and interrupts: on_trap(Trap*). */
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
    cld
    mov     %rsp, %rdi
    call    on_trap
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
    iretq

    .altmacro
    .macro  trap_entry vector
    .if (\vector == 8) || ((\vector >= 10) && (\vector <= 14)) || (\vector == 17)
    .else
    pushq   $0
    .endif
    pushq   $\vector
    jmp     trap_common
    .balign 16
    .endm
    .balign 16
    .globl trap_entries
trap_entries:
    .set number, 0
    .rept 256
    trap_entry %number
    .set number, number + 1
    .endr
    .noaltmacro

    .balign 4096
    .globl hypercall_page
hypercall_page:
    .fill   4096, 1, 0xcc

    .data
    .balign 8
    .globl  gdt, gdt_end
gdt:
    .quad   0
    .quad   0x00AF9B000000FFFF
    .quad   0x00CF93000000FFFF
    .quad   0x00CF9B000000FFFF
    .quad   0x00009B000000FFFF
    .quad   0x000093000000FFFF
    .quad   0x0040930000000FFF
    .globl  gdt_task
gdt_task:
    .quad   0
gdt_end:
gdt_pointer:
    .word   gdt_end - gdt - 1
    .long   gdt

    .bss
    .globl  start_info_address
start_info_address: .skip 4
    .balign 4096
    .globl  table_4, table_3, table_2
table_4:    .skip 4096
table_3:    .skip 4096
table_2:    .skip 4096
    .skip   32768
stack_end:

    .section .note.Xen, "a", @note
    .balign 4
    .long   4, 4, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz  "Xen"
    .long   _start

    .section .note.GNU-stack, "", @progbits
