// SPDX-License-Identifier: BSD-2-Clause
// Between a guest's view of memory and the core's, on CPUs with the Meltdown fault: calls to these are
// patched over instructions of entry.S (init_mitigations), which they do as well. All of this is mapped in
// both; the stack is the one that the frame is on.

#include "platform/x86/layout.hpp"
#include "platform/x86/offsets.hpp"

    .section .text.entry, "ax", @progbits

// In place of `mov $-0x10000, %rbx` behind SAVE_REGISTERS. From ring 3, or from the two instructions in
// ring 0 that run on the guest's view: on to the core's. May change: rcx, flags.
    .balign 16
    .global view_enter
view_enter:
    mov $-0x10000, %rbx
    and %rsp, %rbx
    testb $3, FRAME_CS + 8(%rsp)
    jnz 1f
    mov %cr3, %rcx
    cmp LAYOUT_CPU_DATA + CPU_GUEST_CR3(%rbx), %rcx
    jne 2f
1:
    mov LAYOUT_CPU_DATA + CPU_CORE_CR3(%rbx), %rcx
    cmp LAYOUT_CPU_DATA + CPU_GUEST_CR3(%rbx), %rcx
    je 2f                               // the plan trusts the partition: it is on these tables
    mov %rcx, %cr3
2:
    mov $-0x10000, %rbx
    ret

// In place of the instruction that clears the CPU's buffers, when the registers are the guest's.
    .balign 16
    .global view_leave, view_leave_verw
view_leave:
    push %rax
    push %rcx
    mov $-0x10000, %rax
    and %rsp, %rax
    mov LAYOUT_CPU_DATA + CPU_GUEST_CR3(%rax), %rcx
    cmp LAYOUT_CPU_DATA + CPU_CORE_CR3(%rax), %rcx
    je 1f
    mov %rcx, %cr3
1:
    pop %rcx
    pop %rax
view_leave_verw:
    nopl verw_selector(%rip)
    ret

// Called where the registers are the guest's and buffers leak: VERW, unless the plan trusts the
// partition. The flags stay: a VM entry needs the carry.
    .balign 16
    .global clear_buffers_unless_trusted, clear_buffers_verw
clear_buffers_unless_trusted:
    pushfq
    push %rax
    mov $-0x10000, %rax
    and %rsp, %rax
    cmpb $0, LAYOUT_CPU_DATA + CPU_LEAVES_BUFFERS(%rax)
    jne 1f
clear_buffers_verw:
    nopl verw_selector(%rip)
1:
    pop %rax
    popfq
    ret

// In place of `call handle_own_stack_exception`: NMI, #DF and #MC come on either view, at any
// instruction, and go back to the same. r12 is saved in the frame.
    .balign 16
    .global view_own_stack
view_own_stack:
    mov $-0x10000, %rcx
    and %rsp, %rcx
    mov %cr3, %r12
    mov LAYOUT_CPU_DATA + CPU_IDLE_CR3(%rcx), %rcx
    mov %rcx, %cr3
    call handle_own_stack_exception
    mov %r12, %cr3
    ret

// choose_guest_view(RDI) for callers that want their registers back.
    .section .text, "ax", @progbits
    .balign 16
    .global view_choose
view_choose:
    .irp register, rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11
    push %\register
    .endr
    call choose_guest_view
    .irp register, r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax
    pop %\register
    .endr
    ret

    .section .note.GNU-stack, "", @progbits
