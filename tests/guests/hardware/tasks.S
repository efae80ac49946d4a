/* SPDX-License-Identifier: BSD-2-Clause */
/* From one task to others and back, in 32-bit protected mode with page tables of 32-bit entries. What is seen on the way
 * is written down; tasks.cpp makes the tasks and knows what is right. */
#include "layout.h"
#include "tasks.h"

    .macro  note from, to
    mov     \from, %eax
    mov     %eax, \to
    .endm

    /* void run_tasks() */
    .text
    .code64
    .globl  run_tasks
run_tasks:
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    mov     %rsp, saved_rsp
    sidt    saved_idt
    sgdt    saved_gdt
    lgdt    task_gdt_pointer
    pushq   $CODE32
    pushq   $1f
    lretq
    .code32
1:  mov     %cr0, %eax
    and     $~CR0_PG, %eax
    mov     %eax, %cr0
    mov     $EFER, %ecx
    rdmsr
    and     $~EFER_LME, %eax
    wrmsr
    mov     $directory_first, %eax
    mov     %eax, %cr3
    mov     $CR4_PSE, %eax
    mov     %eax, %cr4
    mov     %cr0, %eax
    or      $CR0_PG, %eax
    mov     %eax, %cr0
    lidtl   task_idt_pointer
    mov     $TASK, %eax
    ltr     %ax
    mov     $DATA32, %eax
    mov     %eax, %gs
    /* CALL, twice: the second one goes on behind the IRET of the first. */
    mov     $KEPT, %ebx
    mov     $KEPT, %esi
    mov     $KEPT, %edi
    mov     $KEPT, %ebp
    mov     %esp, %ecx
    stc
    jmp     1f                              /* QEMU 7.2 saves the flags that were before the last jump */
1:  lcall   $CALLED, $0
    sbb     %eax, %eax
    sub     %ecx, %esp
    add     %esp, %eax
    mov     %eax, kept_flag_and_stack
    mov     %ecx, %esp
    and     %ebx, %esi
    and     %esi, %edi
    and     %edi, %ebp
    mov     %ebp, kept_registers
    note    %cr0, cr0_after
    note    %gs, gs_after
    clts
    lcall   $CALLED, $0
    /* By gates: an instruction, and a fault with its error code. */
    int     $VECTOR_SOFT
    mov     $NO_SEGMENT, %eax
    movl    $2f, RESUME
1:  mov     %eax, %gs
2:  note    $1b, fault_wanted
    /* JMP, there and back. */
    ljmp    $JUMPED, $0
    str     %eax
    mov     %eax, task_after
    note    WINDOW + MARK, window_after
    pushfl
    popl    flags_after
    clts
    mov     %cr0, %eax
    and     $~CR0_PG, %eax
    mov     %eax, %cr0
    call    enter_long_mode
    ljmp    $CODE64, $1f
    .code64
1:  lidt    saved_idt
    lgdt    saved_gdt
    mov     $DATA32, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    mov     saved_rsp, %rsp
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    ret

    .code32
    .globl  called_entry, fault_entry, jumped_entry
called_entry:
    incl    calls
    pushfl
    popl    called_flags
    str     %eax
    mov     %eax, called_task
    note    %cr0, called_cr0
    note    WINDOW + MARK, called_window
    clts
    xor     %ebx, %ebx
    xor     %esi, %esi
    xor     %edi, %edi
    xor     %ebp, %ebp
    iretl
    jmp     called_entry

fault_entry:
    popl    fault_error
    note    task_first + 32, fault_at           /* EIP */
    note    RESUME, task_first + 32
    iretl
    jmp     fault_entry

jumped_entry:
    incl    jumps
    pushfl
    popl    jumped_flags
    ljmp    $TASK, $0
    jmp     jumped_entry

    .data
    .balign 8
saved_rsp: .quad 0
    .balign 8
saved_idt: .skip 16
saved_gdt: .skip 16

    .section .note.GNU-stack, "", @progbits
