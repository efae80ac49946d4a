// SPDX-License-Identifier: BSD-2-Clause
// Into an AMD-V guest and back. Interrupts are held off by GIF from before the guest's state is loaded
// until the core's is back; IF is on meanwhile, so that an interrupt makes the guest leave.
#include "hvm/cpu/entry_macros.hpp"

// void svm_enter(GuestFrame* frame, uint64_t vmcb, uint64_t host_vmcb): physical addresses. Only the
// frame's general registers but RAX are used; the rest is in the VMCB.
    .section .text.svm_enter, "ax", @progbits
    .global svm_enter
svm_enter:
    SAVE_CORE_REGISTERS
    push %rdx
    push %rdi
    mov %rsi, %rax
    LOAD_GUEST_REGISTERS_BUT_RAX
    clgi
    sti
    vmload %rax
    vmrun %rax
    vmsave %rax
    mov %rdi, %rax
    pop %rdi
    mov %rax, FRAME_RDI(%rdi)
    pop %rax
    vmload %rax
    cli
    stgi
    STORE_GUEST_REGISTERS
    FILL_RETURN_STACK
    RESTORE_CORE_REGISTERS
    ret

    .section .note.GNU-stack, "", @progbits
