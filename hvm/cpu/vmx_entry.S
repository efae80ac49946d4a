// SPDX-License-Identifier: BSD-2-Clause
// Into a VT-x guest and back. IF is off throughout: an interrupt makes the guest leave and waits.
#include "hvm/cpu/entry_macros.hpp"
#include "platform/x86/selectors.hpp"

#define HOST_RSP  0x6C14

// bool vmx_enter(GuestFrame* frame, bool launched): the current VMCS's guest, with the frame's general
// registers; RIP, RSP and RFLAGS are in the VMCS. False: the CPU did not even try (INSTRUCTION_ERROR).
    .section .text.vmx_enter, "ax", @progbits
    .global vmx_enter
vmx_enter:
    SAVE_CORE_REGISTERS
    push %rdi
    mov $HOST_RSP, %eax
    vmwrite %rsp, %rax
    bt $0, %esi
    mov FRAME_RAX(%rdi), %rax
    LOAD_GUEST_REGISTERS_BUT_RAX
    // Becomes a call (VERW) on CPUs whose buffers leak (MDS, TAA); leaves the carry as it is.
1:
    nopl verw_selector(%rip)
    .pushsection .verw_patch, "a"
    .quad 1b
    .popsection
    jnc 2f
    vmresume
    jmp 3f
2:
    vmlaunch
3:
    // The frame keeps what it had.
    pop %rdi
    xor %eax, %eax
    RESTORE_CORE_REGISTERS
    ret

    .global vmx_exit
vmx_exit:
    xchg %rdi, (%rsp)
    mov %rax, FRAME_RAX(%rdi)
    pop %rax
    mov %rax, FRAME_RDI(%rdi)
    STORE_GUEST_REGISTERS
    FILL_RETURN_STACK
    mov $1, %eax
    RESTORE_CORE_REGISTERS
    ret

    .section .note.GNU-stack, "", @progbits
