// SPDX-License-Identifier: BSD-2-Clause
// Every way from a guest into the core and back. The guest's registers are kept as a GuestFrame at
// the top of the CPU's stack. GS and FS stay the guest's: the CPU's data is found from RSP, so
// nothing here depends on which mode an NMI or machine check interrupted.
//
// Never: interrupts on, a register of the core left to a guest, a fault without a fixup.

#include "platform/x86/layout.hpp"
#include "platform/x86/offsets.hpp"

#define FLAT_CS64 0xe033
#define FLAT_CS32 0xe023
#define FLAT_SS   0xe02b
#define HYPERCALL_IRET 23

    .section .text.entry, "ax", @progbits

// Saves what lies above the error code, in the order of GuestFrame.
.macro SAVE_REGISTERS
    push %r9
    push %r8
    push %r10
    push %rdx
    push %rsi
    push %rdi
    push %rax
    push %rcx
    push %r11
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
.endm

// All but r11 and rcx, which the two ways back treat differently.
.macro RESTORE_CALLEE_SAVED
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
.endm

.macro RESTORE_ARGUMENTS
    pop %rax
    pop %rdi
    pop %rsi
    pop %rdx
    pop %r10
    pop %r8
    pop %r9
.endm

// Becomes CLAC on CPUs with SMAP: a guest may have set AC, which would open its memory to the core.
.macro CLOSE_GUEST_ACCESS
661:
    .byte 0x0f, 0x1f, 0x00
    .pushsection .smap_patch, "a"
    .quad 661b
    .popsection
.endm

// Becomes a call to clear_buffers_unless_trusted (VERW) on CPUs whose buffers leak (MDS, TAA): what the
// core has touched is gone from them. Only the guest's own values are loaded behind it.
.macro CLEAR_BUFFERS
662:
    nopl verw_selector(%rip)
663:
    .pushsection .verw_patch, "a"
    .quad 662b
    .popsection
    VIEW_PATCH 662b, 663b, view_leave
.endm

// What is replaced by a call where guests run without the core's mappings (guest_view.S).
.macro VIEW_PATCH begin, end, target
    .pushsection .view_patch, "a"
    .quad \begin, \end - \begin, \target
    .popsection
.endm

// RBX: the CPU's block. The first of the two may become a call.
.macro FIND_CPU
664:
    mov $-0x10000, %rbx
665:
    and %rsp, %rbx
    VIEW_PATCH 664b, 665b, view_enter
.endm

.macro FIXUP fault, target
    .pushsection .exception_table, "a"
    .quad \fault, \target
    .popsection
.endm

// --- SYSCALL -----------------------------------------------------------------
// Copied to page 0 of each CPU's block; reaches that block's data relative to itself.
// The displacement of the last jump is set when it is copied.

.macro SYSCALL_STUB name, cs, at
    .balign 16
    .global \name\()_stub_begin, \name\()_stub_jump, \name\()_stub_end
\name\()_stub_begin:
    mov %rsp, \name\()_stub_begin - \at + LAYOUT_CPU_DATA + CPU_SCRATCH(%rip)
    lea \name\()_stub_begin - \at + LAYOUT_CPU_STACK_END(%rip), %rsp
    pushq $FLAT_SS
    pushq \name\()_stub_begin - \at + LAYOUT_CPU_DATA + CPU_SCRATCH(%rip)
    push %r11
    pushq $\cs
    push %rcx
    pushq $0
    .byte 0xe9
\name\()_stub_jump:
    .long 0
\name\()_stub_end:
.endm

    SYSCALL_STUB syscall, FLAT_CS64, STUB_OFFSET_SYSCALL
    SYSCALL_STUB syscall32, FLAT_CS32, STUB_OFFSET_SYSCALL32

    .balign 8
    .global verw_selector
verw_selector:
    .word FLAT_SS

    .balign 64
    .global syscall_common
syscall_common:
    movl $ENTRY_SYSCALL, 4(%rsp)
    SAVE_REGISTERS
    FIND_CPU
    mov LAYOUT_CPU_DATA + CPU_CURRENT(%rbx), %rdi
    cmpb $0, VCPU_KERNEL_MODE(%rdi)
    je user_syscall
    cmp $HYPERCALL_IRET, %rax
    je guest_iret
    mov %rax, %rsi
    lea FRAME_RDI(%rsp), %rdx
    call dispatch_hypercall
    mov %rax, %rcx
    neg %rcx
    jo continue_hypercall           // only for the smallest number there is
    mov %rax, FRAME_RAX(%rsp)

    .global return_to_guest
return_to_guest:
    cmpl $0, LAYOUT_CPU_DATA + CPU_WORK(%rbx)
    jne do_work
    mov LAYOUT_CPU_DATA + CPU_CURRENT(%rbx), %rdi
    mov VCPU_INFO(%rdi), %rax
    cmpb $0, INFO_PENDING(%rax)
    jne maybe_event
restore_guest:
    testl $ENTRY_SYSCALL, FRAME_VECTOR(%rsp)
    jz restore_by_iret
    // SYSRET to a non-canonical address would fault in ring 0 on the guest's stack (Intel). An
    // address is fine if it has bit 63 set (execution came from there) or lies below 2^47.
    mov FRAME_RIP(%rsp), %rcx
    test %rcx, %rcx
    js 1f
    shr $47, %rcx
    jnz restore_by_iret
1:
    RESTORE_CALLEE_SAVED
    add $16, %rsp
    RESTORE_ARGUMENTS
    mov 8(%rsp), %rcx               // rip
    mov 24(%rsp), %r11              // rflags
    CLEAR_BUFFERS
    cmpw $FLAT_CS32, 16(%rsp)
    mov 32(%rsp), %rsp
    je 2f
    .global return_by_sysret
return_by_sysret:
    sysretq
2:
    sysretl

restore_by_iret:
    RESTORE_CALLEE_SAVED
    pop %r11
    pop %rcx
    RESTORE_ARGUMENTS
leave_by_iret:
    CLEAR_BUFFERS
    add $8, %rsp
    .global return_by_iret
return_by_iret:
    iretq
    FIXUP return_by_iret, iret_failed

// What its selectors name was missing and is there now: once more, since the exception has left the guest's
// view of memory and its buffers are not clear.
    .global again_by_iret
again_by_iret:
    sub $8, %rsp
    jmp leave_by_iret

// The guest's frame could not be loaded (selector, address). Back where the frame stands, with the
// guest's registers as they were: build the frame anew and let the guest's failsafe handler see it.
iret_failed:
    pushq $0
    SAVE_REGISTERS
    cld
    FIND_CPU
    mov LAYOUT_CPU_DATA + CPU_CURRENT(%rbx), %rdi
    mov %rsp, %rsi
    call handle_failed_return
    jmp return_to_guest

maybe_event:
    cmpb $0, INFO_MASK(%rax)
    jne restore_guest
    mov %rsp, %rsi
    call deliver_event
    cmpl $0, LAYOUT_CPU_DATA + CPU_WORK(%rbx)
    jne do_work
    jmp restore_guest               // not return_to_guest: without a callback the event stays pending

do_work:
    mov %rsp, %rdi
    call guest_work
    jmp return_to_guest

continue_hypercall:
    subq $2, FRAME_RIP(%rsp)        // the SYSCALL instruction again
    jmp return_to_guest

guest_iret:
    mov %rsp, %rsi
    call guest_iret_hypercall
    jmp return_to_guest

user_syscall:
    mov %rsp, %rsi
    call bounce_syscall
    jmp return_to_guest

    .global syscall32_common
syscall32_common:
    movl $ENTRY_SYSCALL, 4(%rsp)
    SAVE_REGISTERS
    FIND_CPU
    mov LAYOUT_CPU_DATA + CPU_CURRENT(%rbx), %rdi
    mov %rsp, %rsi
    call bounce_syscall32
    jmp return_to_guest

// SYSENTER: RSP comes from an MSR and is the stack's end; the guest's RSP, RIP and flags are lost.
    .global sysenter_entry
sysenter_entry:
    pushq $FLAT_SS
    pushq $0
    pushfq
    pushq $FLAT_CS32
    pushq $0
    pushq $0
    SAVE_REGISTERS
    pushq $2
    popfq
    CLOSE_GUEST_ACCESS
    FIND_CPU
    mov LAYOUT_CPU_DATA + CPU_CURRENT(%rbx), %rdi
    mov %rsp, %rsi
    call bounce_sysenter
    jmp return_to_guest

// --- Exceptions and interrupts -----------------------------------------------

    .balign 16
exception_common:
    SAVE_REGISTERS
    cld
    CLOSE_GUEST_ACCESS
    FIND_CPU
    mov %rsp, %rdi
    testb $3, FRAME_CS(%rsp)
    jz from_core
    call handle_guest_exception
    jmp return_to_guest

from_core:
    call handle_core_exception
return_to_core:
    RESTORE_CALLEE_SAVED
    pop %r11
    pop %rcx
    RESTORE_ARGUMENTS
    add $8, %rsp
    iretq

    .balign 16
page_fault_common:
    SAVE_REGISTERS
    cld
    CLOSE_GUEST_ACCESS
    FIND_CPU
    mov %rsp, %rdi
    testb $3, FRAME_CS(%rsp)
    jz from_core
    call handle_guest_page_fault
    jmp return_to_guest

    .balign 16
interrupt_common:
    SAVE_REGISTERS
    cld
    CLOSE_GUEST_ACCESS
    FIND_CPU
    movzbl FRAME_VECTOR(%rsp), %edi
    call handle_interrupt
    testb $3, FRAME_CS(%rsp)
    jz return_to_core
    jmp return_to_guest

// On a stack of their own: #DB, NMI, #DF, #MC. From a guest, #DB goes on as an ordinary exception on
// the CPU's main stack; the others only look and return the way they came.
    .balign 16
debug_common:
    SAVE_REGISTERS
    cld
    CLOSE_GUEST_ACCESS
    FIND_CPU
    mov %rsp, %rdi
    testb $3, FRAME_CS(%rsp)
    jz from_core
    mov %rsp, %rsi
    lea LAYOUT_CPU_STACK_END - FRAME_SIZE(%rbx), %rdi
    mov %rdi, %rsp
    mov $FRAME_SIZE / 8, %ecx
    rep movsq
    mov %rsp, %rdi
    call handle_guest_exception
    jmp return_to_guest

    .balign 16
own_stack_common:
    SAVE_REGISTERS
    cld
    CLOSE_GUEST_ACCESS
    mov %rsp, %rdi
666:
    call handle_own_stack_exception
667:
    VIEW_PATCH 666b, 667b, view_own_stack
    jmp return_to_core

// Vectors that push an error code: 8, 10-14, 17, 21, 29, 30.
.macro EXCEPTION_ENTRY vector
    .balign 16
entry_\vector:
    .if (\vector == 8) || ((\vector >= 10) && (\vector <= 14)) || (\vector == 17) || (\vector == 21) || (\vector == 29) || (\vector == 30)
    .else
    pushq $0
    .endif
    movl $\vector, 4(%rsp)
    .if \vector == 14
    jmp page_fault_common
    .elseif \vector == 1
    jmp debug_common
    .elseif (\vector == 2) || (\vector == 8) || (\vector == 18)
    jmp own_stack_common
    .elseif \vector < 32
    jmp exception_common
    .else
    jmp interrupt_common
    .endif
    .pushsection .rodata.exception_entries, "a"
    .quad entry_\vector
    .popsection
.endm

    .pushsection .rodata.exception_entries, "a"
    .balign 8
    .global exception_entries
exception_entries:
    .popsection

.altmacro
.set vector_number, 0
.rept 256
    EXCEPTION_ENTRY %vector_number
    .set vector_number, vector_number + 1
.endr
.noaltmacro

// --- Start -------------------------------------------------------------------

// void enter_guests(): the CPU's boot code ends here. An empty frame, then the first decision.
    .global enter_guests
enter_guests:
    mov $-0x10000, %rbx
    and %rsp, %rbx
    lea LAYOUT_CPU_STACK_END(%rbx), %rsp
    mov $FRAME_SIZE / 8, %ecx
1:
    pushq $0
    dec %ecx
    jnz 1b
    xor %ebp, %ebp
    jmp do_work

    .section .note.GNU-stack, "", @progbits
