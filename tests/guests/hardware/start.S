/* SPDX-License-Identifier: BSD-2-Clause */
/* A pvh guest: from its PVH entry to 64-bit code, its exception table, and a tour through every mode of
 * the CPU and back. Everything lies at its physical address. */
#include <xen/elfnote.h>

#define CODE64 0x08
#define DATA32 0x10
#define CODE32 0x18
#define CODE16 0x20
#define DATA16 0x28

#define CR0_PE 0x1
#define CR0_PG 0x80000000
#define CR4_PSE 0x10
#define CR4_PAE 0x20
#define EFER 0xC0000080
#define EFER_LME 0x100

#define REAL_CODE 0x8000            /* where the 16-bit code is copied to */
#define REAL_STACK 0x7ff0
#define XEN_LEAF 0x40000000
#define XEN_EBX 0x566e6558

    .section .text.start, "ax"
    .code32
    .globl _start
_start:
    cld
    mov     $stack_end, %esp
    lgdt    gdt_pointer
    /* 2 MiB pages for the first GiB, 4 MiB pages for the same in the old format. */
    mov     $table_3 + 7, %eax
    mov     %eax, table_4
    mov     $table_2 + 7, %eax
    mov     %eax, table_3
    mov     $table_2 + 1, %eax      /* page-directory pointers of PAE have no other bits */
    mov     %eax, table_pae
    xor     %ecx, %ecx
1:  mov     %ecx, %eax
    shl     $21, %eax
    or      $0x87, %eax
    mov     %eax, table_2(,%ecx,8)
    inc     %ecx
    cmp     $512, %ecx
    jne     1b
    xor     %ecx, %ecx
1:  mov     %ecx, %eax
    shl     $22, %eax
    or      $0x87, %eax
    mov     %eax, table_32(,%ecx,4)
    inc     %ecx
    cmp     $256, %ecx
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

    /* CPUID leaves the guest in every mode: sets the stage's bit in %esi if the answer is Xen's. */
    .macro  stage bit
    mov     $XEN_LEAF, %eax
    cpuid
    cmp     $XEN_EBX, %ebx
    jne     9f
    or      $1 << \bit, %esi
9:
    .endm

    .text
    .code64
    .globl tour_of_modes
tour_of_modes:
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    mov     %rsp, saved_rsp
    sidt    saved_idt
    mov     %cr4, %rax
    mov     %rax, saved_cr4
    /* The 16-bit part goes below 1 MiB. */
    mov     $real_begin, %esi
    mov     $REAL_CODE, %edi
    mov     $real_end - real_begin, %ecx
    rep movsb
    xor     %esi, %esi
    stage   0
    pushq   $CODE32
    pushq   $1f
    lretq
    .code32
1:  stage   1                       /* compatibility mode */
    mov     %cr0, %eax
    and     $~CR0_PG, %eax
    mov     %eax, %cr0
    stage   2                       /* protected mode without paging */
    mov     $EFER, %ecx
    rdmsr
    and     $~EFER_LME, %eax
    wrmsr
    mov     $table_pae, %eax
    mov     %eax, %cr3
    mov     %cr0, %eax
    or      $CR0_PG, %eax
    mov     %eax, %cr0
    mov     %cr3, %eax
    mov     %eax, %cr3
    stage   3                       /* PAE */
    mov     %cr0, %eax
    and     $~CR0_PG, %eax
    mov     %eax, %cr0
    mov     $CR4_PSE, %eax
    mov     %eax, %cr4
    mov     $table_32, %eax
    mov     %eax, %cr3
    mov     %cr0, %eax
    or      $CR0_PG, %eax
    mov     %eax, %cr0
    stage   4                       /* page tables of 32-bit entries */
    mov     %cr0, %eax
    and     $~CR0_PG, %eax
    mov     %eax, %cr0
    ljmp    $CODE16, $REAL_CODE

    .code16
real_begin:
    mov     $DATA16, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    mov     $REAL_STACK, %esp
    stage   5                       /* 16-bit protected mode */
    mov     %cr0, %eax
    and     $~CR0_PE, %eax
    mov     %eax, %cr0
    ljmp    $0, $REAL_CODE + 1f - real_begin
1:  xor     %ax, %ax
    mov     %ax, %ds
    mov     %ax, %es
    mov     %ax, %ss
    lidtl   REAL_CODE + real_idt - real_begin
    movw    $REAL_CODE + real_int - real_begin, 0x20 * 4
    movw    $0, 0x20 * 4 + 2
    movw    $REAL_CODE + real_fault - real_begin, 13 * 4
    movw    $0, 13 * 4 + 2
    stage   6                       /* real mode */
    int     $0x20
    mov     $0xdead, %ecx           /* no such register: a fault that the hypervisor puts in */
    rdmsr
    lgdtl   REAL_CODE + real_gdt - real_begin
    mov     %cr0, %eax
    or      $CR0_PE, %eax
    mov     %eax, %cr0
    ljmpl   $CODE32, $2f
real_int:
    or      $1 << 7, %esi
    iretw
    /* In real mode there is no error code: IP is on top. */
real_fault:
    push    %bp
    mov     %sp, %bp
    addw    $2, 2(%bp)
    pop     %bp
    cmp     $REAL_STACK - 6, %sp
    jne     1f
    or      $1 << 8, %esi
1:  iretw
real_idt:
    .word   0x3ff
    .long   0
real_gdt:
    .word   gdt_end - gdt - 1
    .long   gdt
real_end:

    .code32
2:  mov     $DATA32, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    mov     $stack_end, %esp
    call    enter_long_mode
    ljmp    $CODE64, $1f
    .code64
1:  mov     saved_rsp, %rsp
    mov     saved_cr4, %rax
    mov     %rax, %cr4
    lidt    saved_idt
    mov     %esi, %eax
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    ret

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
gdt:
    .quad   0
    .quad   0x00AF9B000000FFFF
    .quad   0x00CF93000000FFFF
    .quad   0x00CF9B000000FFFF
    .quad   0x00009B000000FFFF
    .quad   0x000093000000FFFF
gdt_end:
gdt_pointer:
    .word   gdt_end - gdt - 1
    .long   gdt
    .balign 8
saved_rsp: .quad 0
saved_cr4: .quad 0
saved_idt: .skip 16

    .bss
    .balign 4096
table_4:    .skip 4096
table_3:    .skip 4096
table_2:    .skip 4096
table_32:   .skip 4096
table_pae:  .skip 4096
    .skip   32768
stack_end:

    .section .note.Xen, "a", @note
    .balign 4
    .long   4, 4, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz  "Xen"
    .long   _start

    .section .note.GNU-stack, "", @progbits
