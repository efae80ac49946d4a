/* SPDX-License-Identifier: BSD-2-Clause */
/* A tour through every mode of the CPU and back. Each stop writes down where it is and what instructions,
 * exceptions and interrupts do there; modes.cpp knows what is right. All 16-bit code is copied to LOW_CODE.
 * EDI is where the next value goes, ES is flat, and FS has 4 GiB throughout. */
#include "layout.h"

/* No spaces: macros take them for the end of an argument. */
#define COUNT(vector) COUNTS+4*vector

    /* Where a label is when it runs. */
    .macro  place label
    .if     size == 16
    .set    placed, \label - low_begin + LOW_CODE
    .else
    .set    placed, \label
    .endif
    .endm

    .macro  keep from
    mov     \from, %eax
    stosl
    .endm

    /* The first register is the accumulator in the width of control registers, the second the widest. */
    .macro  probe acc
    mov     %cr0, %\acc
    stosl
    mov     %cr4, %\acc
    stosl
    mov     $EFER, %ecx
    rdmsr
    stosl
    keep    %cs
    /* mov $1, %cx and a jump over nothing; or mov $0xeb0001, %ecx. */
    .byte   0x31, 0xc9, 0x66, 0x31, 0xc9, 0xb9, 0x01, 0x00, 0xeb, 0x00
    keep    %ecx
    /* inc %rax; or dec and inc of (e)ax. */
    xor     %eax, %eax
    .byte   0x48, 0xff, 0xc0
    stosl
    /* Instructions that leave the guest. */
    mov     $0x40000000, %eax
    cpuid
    keep    %ebx
    mov     $0x803, %ecx
    rdmsr
    stosl
    xor     %eax, %eax
    inb     $0x60, %al
    stosl
    inl     $0x60, %eax
    stosl
    mov     %edi, %esi
    xor     %edi, %edi
    mov     $17, %eax
    cmpl    $0, IS_INTEL
    je      1f
    vmcall
    jmp     2f
1:  vmmcall
2:  mov     %esi, %edi
    stosl
    /* A fault that the hypervisor puts in, and one that it does not. */
    place   3f
    movl    $placed, RESUME
    mov     $0xdead, %ecx
    rdmsr
3:  keep    LAST_ERROR
    place   3f
    movl    $placed, RESUME
    ud2
3:  int3
4:  place   4b
    mov     LAST_IP, %eax
    sub     $placed, %eax
    stosl
    int     $VECTOR_SOFT
    /* A step over an instruction that the hypervisor carries out. */
    mov     $1, %eax
    .if     size == 64
    pushfq
    orq     $0x100, (%rsp)
    popfq
    .else
    pushfl
    popl    %ebx
    orl     $0x100, %ebx
    pushl   %ebx
    popfl
    .endif
    cpuid
5:  nop
    place   5b
    mov     LAST_IP, %eax
    sub     $placed, %eax
    stosl
    keep    LAST_DR6
    /* Interrupts: to itself, by the timer out of HLT, and one that cannot be masked. */
    mov     $0x83f, %ecx
    mov     $VECTOR_SELF, %eax
    xor     %edx, %edx
    wrmsr
    keep    COUNT(VECTOR_SELF)
    sti
    nop
    cli
    mov     $0x832, %ecx
    mov     $VECTOR_TIMER, %eax
    wrmsr
    mov     $0x838, %ecx
    mov     $200000, %eax
    wrmsr
6:  sti
    hlt
    cli
    cmpl    $0, COUNT(VECTOR_TIMER)
    je      6b
    mov     $0x830, %ecx
    mov     $0x44400, %eax
    wrmsr
    nop
    /* Beyond the end of a segment; 64-bit code has no ends. */
    .if     size != 64
    mov     %cr0, %eax
    test    $CR0_PE, %al
    jz      8f
    mov     $LIMITED, %eax
    mov     %eax, %gs
    place   7f
    movl    $placed, RESUME
    mov     %gs:0xffd, %eax
7:  mov     $DATA16, %eax               /* not null: what real mode asks for */
    mov     %eax, %gs
8:
    .endif
    keep    COUNT(13)
    /* What paging shows, and what it does not. */
    mov     %cr0, %\acc
    test    %eax, %eax
    mov     $0, %eax
    jns     9f
    mov     $WINDOW, %ebx
    mov     %fs:(%ebx), %eax
9:  stosl
    mov     %cr0, %\acc
    test    %eax, %eax
    jns     9f
    place   9f
    movl    $placed, RESUME
    mov     $WINDOW + 0x1000, %ebx
    mov     %fs:(%ebx), %eax
9:  keep    LAST_CR2
    .endm

    /* How often each came since the last time. */
    .macro  counters
    .irp    vector, 1, 2, 3, 6, 14, VECTOR_SOFT, VECTOR_SELF, VECTOR_TIMER
    keep    COUNT(\vector)
    .endr
    xor     %eax, %eax
    .irp    vector, 1, 2, 3, 6, 13, 14, VECTOR_SOFT, VECTOR_SELF, VECTOR_TIMER
    mov     %eax, COUNT(\vector)
    .endr
    mov     %eax, LAST_CR2
    mov     %eax, LAST_ERROR
    .endm

    .macro  paging on, format, table, extensions
    mov     %cr0, %eax
    .if     \on
    mov     \table, %ecx
    mov     %ecx, %cr3
    mov     $\extensions, %ecx
    mov     %ecx, %cr4
    or      $CR0_PG, %eax
    .else
    and     $~CR0_PG, %eax
    .endif
    mov     %eax, %cr0
    .endm

    .macro  long_mode_enable on
    mov     $EFER, %ecx
    rdmsr
    .if     \on
    or      $EFER_LME, %eax
    .else
    and     $~EFER_LME, %eax
    .endif
    wrmsr
    .endm

    .macro  data_segments selector
    mov     $\selector, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    .endm

    /* void tour(bool direct): from real mode straight into long mode, or back through all of them. */
    .text
    .code64
    .globl  tour
tour:
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    mov     %rsp, saved_rsp
    sidt    saved_idt
    mov     %rdi, direct
    mov     $low_begin, %esi
    mov     $LOW_CODE, %edi
    mov     $low_end - low_begin, %ecx
    rep movsb
    data_segments DATA32
    mov     %eax, %fs
    mov     $LOW_STACK, %esp
    mov     $RECORDS, %edi
    call    probe_64
    pushq   $CODE32
    pushq   $1f
    lretq
    .code32
1:  call    probe_32                        /* compatibility mode */
    call    in_16_bits
    paging  0
    lidtl   pointer_32
    call    probe_32                        /* without paging */
    long_mode_enable 0
    paging  1, pae, table_pae, CR4_PAE
    call    probe_32                        /* PAE */
    lidtl   pointer_16
    call    in_16_bits
    lidtl   pointer_32
    paging  0
    paging  1, 32, table_32, CR4_PSE
    call    probe_32                        /* page tables of 32-bit entries */
    call    in_virtual_8086
    paging  0
    lidtl   pointer_16
    ljmp    $CODE16, $LOW_CODE + low_protected - low_begin

    /* Calls probe_16 out of a segment of 16-bit code, with the paging that there is. */
in_16_bits:
    data_segments DATA16
    ljmp    $CODE16, $LOW_CODE + low_visit - low_begin
leave_16_bits:
    data_segments DATA32
    ret

    /* With page tables of 32-bit entries, an interrupt waiting. */
in_virtual_8086:
    movb    $0x89, gdt_task + 5             /* not busy */
    mov     $TASK, %eax
    ltr     %ax
    mov     %esp, saved_esp
    mov     $0x83f, %ecx
    mov     $VECTOR_SELF, %eax
    xor     %edx, %edx
    wrmsr
    pushl   $0
    pushl   $0
    pushl   $0
    pushl   $0
    pushl   $0
    pushl   $0x6ff0
    pushl   $0x23202                        /* VM, IOPL 3, IF */
    pushl   $LOW_CODE >> 4
    pushl   $virtual_8086 - low_begin
    iretl
handler_leave:
    data_segments DATA32
    mov     %eax, %fs
    mov     saved_esp, %esp
    keep    LAST_ERROR
    keep    COUNT(13)
    counters
    ret

probe_32:
    .set    size, 32
    probe   eax
    counters
    ret

    /* Back out of 16-bit code, by the long way. */
back_in_32_bits:
    data_segments DATA32
    mov     %eax, %fs
    lidtl   pointer_32
    call    probe_32
    paging  1, pae, table_pae, CR4_PAE
    call    probe_32
    paging  0
    long_mode_enable 1
    paging  1, long, $table_4, CR4_PAE
    lidtl   saved_idt
    call    probe_32
    ljmp    $CODE64, $back_in_64_bits

    .code64
back_in_64_bits:
    data_segments DATA32
    mov     %eax, %fs
    lidt    saved_idt
    call    probe_64
    mov     saved_rsp, %rsp
    mov     %edi, %eax
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    ret

probe_64:
    .set    size, 64
    probe   rax
    counters
    ret

    /* Exceptions and interrupts in 32-bit protected mode. */
    .code32
    .macro  handler_32 vector, error, kind
handler_32_\vector:
    pushal
    push    %ds
    mov     $DATA32, %eax
    mov     %eax, %ds
    incl    COUNT(\vector)
    mov     36 + \error(%esp), %eax
    mov     %eax, LAST_IP
    .ifc    \kind, fault
    .if     \error
    mov     36(%esp), %eax
    mov     %eax, LAST_ERROR
    .endif
    .if     \vector == 14
    mov     %cr2, %eax
    mov     %eax, LAST_CR2
    .endif
    mov     RESUME, %eax
    mov     %eax, 36 + \error(%esp)
    .endif
    .ifc    \kind, step
    andl    $~0x100, 44(%esp)
    mov     %dr6, %eax
    mov     %eax, LAST_DR6
    mov     $0xffff0ff0, %eax
    mov     %eax, %dr6
    .endif
    .ifc    \kind, interrupt
    mov     $0x80b, %ecx
    xor     %eax, %eax
    xor     %edx, %edx
    wrmsr
    .endif
    pop     %ds
    popal
    add     $\error, %esp
    iretl
    .endm

    .macro  handlers type
    \type   1, 0, step
    \type   2, 0, soft
    \type   3, 0, soft
    \type   6, 0, fault
    \type   VECTOR_SOFT, 0, soft
    \type   VECTOR_SELF, 0, interrupt
    \type   VECTOR_TIMER, 0, interrupt
    .endm
    handlers handler_32
    handler_32 13, 4, fault
    handler_32 14, 4, fault

    .code16
low_begin:
low_visit:
    call    probe_16                        /* 16-bit code under paging */
    ljmpl   $CODE32, $leave_16_bits
low_protected:
    data_segments DATA16
    call    probe_16                        /* 16-bit protected mode */
    mov     %cr0, %eax
    and     $~CR0_PE, %eax
    mov     %eax, %cr0
    ljmp    $0, $LOW_CODE + 1f - low_begin
1:  xor     %ax, %ax
    mov     %ax, %ds
    mov     %ax, %es
    mov     %ax, %ss
    mov     %ax, %gs
    lidtl   LOW_CODE + real_idt - low_begin
    call    probe_16                        /* real mode */
    /* What it has of its own: FS has kept 4 GiB, addresses do not wrap at 1 MiB, and segments end. */
    mov     $0x100000, %ebx
    mov     %fs:(%ebx), %eax
    stosl
    mov     $0xffff, %ax
    mov     %ax, %gs
    mov     %gs:0x10, %eax
    stosl
    movl    $LOW_CODE + 2f - low_begin, RESUME
    mov     $0xfffd, %bx
    mov     (%bx), %eax
2:  keep    COUNT(13)
    movl    $0, COUNT(13)
    lgdtl   LOW_CODE + low_gdt - low_begin
    cmpw    $0, LOW_CODE + low_direct - low_begin
    jne     3f
    mov     %cr0, %eax
    or      $CR0_PE, %eax
    mov     %eax, %cr0
    ljmp    $CODE16, $LOW_CODE + 4f - low_begin
4:  data_segments DATA16
    lidtl   LOW_CODE + low_idt - low_begin
    call    probe_16
    ljmpl   $CODE32, $back_in_32_bits
    /* Protection, paging and with it long mode by one instruction. */
3:  mov     $EFER, %ecx
    rdmsr
    or      $EFER_LME, %eax
    wrmsr
    mov     $CR4_PAE, %eax
    mov     %eax, %cr4
    mov     LOW_CODE + low_top - low_begin, %eax
    mov     %eax, %cr3
    mov     %cr0, %eax
    or      $CR0_PE | CR0_PG, %eax
    mov     %eax, %cr0
    ljmpl   $CODE64, $back_in_64_bits

virtual_8086:
    mov     $0x40000000, %eax
    cpuid
    keep    %ebx
    .byte   0x31, 0xc9, 0x66, 0x31, 0xc9, 0xb9, 0x01, 0x00, 0xeb, 0x00
    keep    %ecx
    int     $VECTOR_SOFT
    int3
    movl    $1f - low_begin, RESUME
    mov     $0x803, %ecx
    rdmsr
1:  movl    $1f - low_begin, RESUME
    ud2
1:  int     $VECTOR_LEAVE

probe_16:
    .set    size, 16
    probe   eax
    counters
    ret

    /* The same in real mode and behind 16-bit gates. In real mode there is no error code. */
    .macro  handler_16 vector, error, kind
handler_16_\vector\()_\error:
    pushal
    mov     %sp, %bp
    incl    COUNT(\vector)
    movzwl  32 + \error(%bp), %eax
    mov     %eax, LAST_IP
    .ifc    \kind, fault
    movzwl  32(%bp), %eax
    .ifeq   \error
    mov     $0, %eax
    .endif
    mov     %eax, LAST_ERROR
    .if     \vector == 14
    mov     %cr2, %eax
    mov     %eax, LAST_CR2
    .endif
    mov     RESUME, %ax
    mov     %ax, 32 + \error(%bp)
    .endif
    .ifc    \kind, step
    andw    $~0x100, 36(%bp)
    mov     %dr6, %eax
    mov     %eax, LAST_DR6
    mov     $0xffff0ff0, %eax
    mov     %eax, %dr6
    .endif
    .ifc    \kind, interrupt
    mov     $0x80b, %ecx
    xor     %eax, %eax
    xor     %edx, %edx
    wrmsr
    .endif
    popal
    add     $\error, %sp
    iretw
    .endm
    handlers handler_16
    handler_16 13, 0, fault
    handler_16 13, 2, fault
    handler_16 14, 2, fault
    .balign 4
real_idt:
    .word   0x3ff
    .long   0
low_gdt:
    .word   63
    .long   gdt
low_idt:
    .word   0x7ff
    .long   idt_16
low_top:
    .long   table_4
low_direct:
direct:
    .quad   0
low_end:

    /* For modes.cpp: vector and entry, in protected mode by 32-bit and 16-bit gates, and in real mode. */
    .section .rodata
    .globl  handlers_32, handlers_16, handlers_real
    .macro  entry_32 vector, error, kind
    .long   \vector, handler_32_\vector
    .endm
    .macro  entry_16 vector, error, kind
    .long   \vector, handler_16_\vector\()_\error - low_begin + LOW_CODE
    .endm
handlers_32:
    handlers entry_32
    entry_32 13
    entry_32 14
    .long   VECTOR_LEAVE, handler_leave, 0
handlers_16:
    handlers entry_16
    entry_16 13, 2
    entry_16 14, 2
    .long   0
handlers_real:
    handlers entry_16
    entry_16 13, 0
    .long   0

    .data
    .balign 8
pointer_32:
    .word   0x7ff
    .long   idt_32
pointer_16:
    .word   0x7ff
    .long   idt_16
    .balign 8
saved_rsp: .quad 0
saved_esp: .long 0
    .balign 8
saved_idt: .skip 16

    .section .note.GNU-stack, "", @progbits
