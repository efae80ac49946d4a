/* SPDX-License-Identifier: BSD-2-Clause */
/* First instruction of a program as a hardware guest, and where it is entered by exceptions and events.
 * At entry: 32-bit protected mode without paging, flat segments, ebx is the physical address of
 * hvm_start_info. Linked only if pvh_entry is asked for.
 * Source: xen/include/public/arch-x86/hvm/start_info.h; Intel SDM vol 3, "Initializing IA-32e Mode". */
#include <xen/elfnote.h>

/* runtime.lds checks it: what is at a physical address is mapped so much higher. */
#define HIGHER 0x3fe00000
#define PHYSICAL(symbol) (symbol - HIGHER)

#define CR4_PAE_OSFXSR_OSXMMEXCPT 0x620
#define CR0_CLEAR_EM_TS           0xfffffff3
#define CR0_PG_WP_NE_MP_PE        0x80010023
#define IA32_EFER                 0xc0000080
#define EFER_LME_NXE              0x900
#define TABLE                     7
#define LARGE_PAGE                0x87

    .section .text.pvh, "ax"
    .code32
    .globl  pvh_entry
pvh_entry:
    cld
    mov     %ebx, %esi
    /* The first GiB as it is, and once more at linear_base, in pages of 2 MiB. */
    mov     $PHYSICAL(boot_tables) + 4095, %ebp
    and     $-4096, %ebp                /* level 4, level 3, two of level 2 */
    lea     4096 + TABLE(%ebp), %eax
    mov     %eax, (%ebp)
    add     $4096, %eax
    mov     %eax, 4096(%ebp)
    add     $4096, %eax
    mov     %eax, 4096 + 8(%ebp)
    lea     8192(%ebp), %edi
    mov     $LARGE_PAGE, %eax
    mov     $512, %ecx
1:  mov     %eax, (%edi)
    lea     0x200000(%eax), %edx
    mov     %edx, 4096(%edi)            /* the second one: 2 MiB further */
    add     $0x200000, %eax
    add     $8, %edi
    loop    1b
    mov     $CR4_PAE_OSFXSR_OSXMMEXCPT, %eax
    mov     %eax, %cr4
    mov     %ebp, %cr3
    mov     $IA32_EFER, %ecx
    rdmsr
    or      $EFER_LME_NXE, %eax
    wrmsr
    mov     %cr0, %eax
    and     $CR0_CLEAR_EM_TS, %eax
    or      $CR0_PG_WP_NE_MP_PE, %eax
    mov     %eax, %cr0
    lgdt    PHYSICAL(boot_descriptors)
    ljmp    $8, $PHYSICAL(2f)

    .code64
2:  mov     $3f, %eax                   /* on in the linear range */
    jmp     *%rax
3:  lgdt    pvh_descriptors(%rip)
    xor     %eax, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %fs
    mov     %eax, %gs
    mov     %eax, %ss
    lea     start_stack_end(%rip), %rsp
    xor     %ebp, %ebp
    mov     %esi, %edi
    call    start_pvh                   /* (physical address of hvm_start_info) */
    ud2

    .section .rodata.pvh, "a"
    .balign 8
pvh_gdt:
    .quad   0
    .quad   0x00af9b000000ffff          /* 8: 64-bit code */
    .globl  pvh_descriptors
    .balign 8
    .word   0, 0, 0
pvh_descriptors:
    .word   15
    .quad   pvh_gdt
boot_descriptors:
    .word   15
    .long   PHYSICAL(pvh_gdt)

    .section .bss.pvh, "aw", @nobits
/* With room to align them: an aligned section would cost a page of the file. */
boot_tables:
    .skip   5 * 4096

    .text
    .macro  pvh_trap vector
    .balign 16
    .if (\vector == 8) || ((\vector >= 10) && (\vector <= 14)) || (\vector == 17) || (\vector == 21)
    .else
    pushq   $0
    .endif
    pushq   $\vector
    jmp     trap_common
    .endm

/* 16 bytes an entry. */
    .balign 16
    .globl  pvh_trap_entries
pvh_trap_entries:
    .altmacro
    .set    number, 0
    .rept   32
    pvh_trap %number
    .set    number, number + 1
    .endr
    .noaltmacro

/* Comes only where pvh_wait has interrupts on, and has nothing to do but to leave them off: who waits
 * looks at what is pending. */
    .balign 16
    .globl  pvh_event_entry
pvh_event_entry:
    btrl    $9, 16(%rsp)                /* rflags.IF */
    iretq

/* An event that comes before the halt ends it: sti takes effect behind the instruction that follows. */
    .globl  pvh_wait
pvh_wait:
    sti
    hlt
    cli
    ret

    .section .note.Xen, "a", @note
    .balign 4
    .long   4, 8, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz  "Xen"
    .quad   pvh_entry_physical

    .section .note.GNU-stack, "", @progbits
