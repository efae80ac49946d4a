/* SPDX-License-Identifier: BSD-2-Clause */
/* First instruction of every conformance guest, the notes that a PV loader reads, the hypercall
 * page and the stack. Registers at entry: rsi is start_info, rsp the end of the boot stack. */
#include <xen/elfnote.h>

    .section .text.start, "ax"
    .globl _start
_start:
    cld
    mov     %rsp, %rdi
    lea     stack_end(%rip), %rsp
    xor     %ebp, %ebp
    call    start_guest                 /* (end of the boot stack, start_info) */
    ud2

    .balign 4096
    .globl hypercall_page
hypercall_page:
    .fill   4096, 1, 0xcc               /* filled in by the hypervisor */

    .bss
    .balign 4096
    .globl stack_end
    .skip   65536
stack_end:

    .macro  note type, data:vararg
    .balign 4
    .long   2f - 1f, 4f - 3f, \type
1:  .asciz  "Xen"
2:  .balign 4
3:  \data
4:  .balign 4
    .endm

    .section .note.Xen, "a", @note
    note    XEN_ELFNOTE_XEN_VERSION,    .asciz "xen-3.0"
    note    XEN_ELFNOTE_GUEST_OS,       .asciz "bulkhead-conformance"
    note    XEN_ELFNOTE_LOADER,         .asciz "generic"
    note    XEN_ELFNOTE_VIRT_BASE,      .quad guest_virt_base
    note    XEN_ELFNOTE_PADDR_OFFSET,   .quad 0
    note    XEN_ELFNOTE_ENTRY,          .quad _start
    note    XEN_ELFNOTE_HYPERCALL_PAGE, .quad hypercall_page
    /* Bit 11: it can be the first domain, which the peer makes it. */
    note    XEN_ELFNOTE_SUPPORTED_FEATURES, .quad 1 << 11

    .section .note.GNU-stack, "", @progbits
