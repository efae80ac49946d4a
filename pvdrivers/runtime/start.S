/* SPDX-License-Identifier: BSD-2-Clause */
/* First instruction of every program of the runtime as a PV guest, and the notes by which a loader
 * knows it. Registers at entry: rsi is start_info, rsp the end of the boot stack.
 * Source: xen/include/public/xen.h, "Start-of-day memory layout"; elfnote.h. */
#include <xen/elfnote.h>

    .section .text.start, "ax"
    .globl  _start
_start:
    cld
    mov     %rsp, %rdi
    lea     start_stack_end(%rip), %rsp
    xor     %ebp, %ebp
    call    start_pv                    /* (end of the boot stack, start_info) */
    ud2

    .section .hypercall_page, "ax", @nobits
    .balign 4096
    .globl  hypercall_page
hypercall_page:
    .skip   4096                        /* filled in by the hypervisor */

    .bss
    .balign 16
    .globl  start_stack_end
    .skip   16384
start_stack_end:

    .macro  note owner, type, data:vararg
    .balign 4
    .long   2f - 1f, 4f - 3f, \type
1:  .asciz  "\owner"
2:  .balign 4
3:  \data
4:  .balign 4
    .endm

    .section .note.Xen, "a", @note
    note    Xen, XEN_ELFNOTE_XEN_VERSION,    .asciz "xen-3.0"
    note    Xen, XEN_ELFNOTE_GUEST_OS,       .asciz "bulkhead-runtime"
    note    Xen, XEN_ELFNOTE_LOADER,         .asciz "generic"
    note    Xen, XEN_ELFNOTE_VIRT_BASE,      .quad linear_base
    note    Xen, XEN_ELFNOTE_PADDR_OFFSET,   .quad load_address
    note    Xen, XEN_ELFNOTE_ENTRY,          .quad _start
    note    Xen, XEN_ELFNOTE_HYPERCALL_PAGE, .quad hypercall_page
    /* Bit 11: it can be the first domain, as which it is tested on Xen. */
    note    Xen, XEN_ELFNOTE_SUPPORTED_FEATURES, .quad 1 << 11
    /* Makes the plan compiler give the program its slice of the plan. */
    note    Bulkhead, 1, .asciz "runtime"

    .section .note.GNU-stack, "", @progbits
