// SPDX-License-Identifier: BSD-2-Clause
// Entries of exceptions 0 to 31 before the CPU has its own tables. None returns.

    .section .init.text, "ax", @progbits

early_common:                           // on the stack: vector, error code, RIP, ...
    cld
    pop %rdi
    pop %rsi
    mov (%rsp), %rdx
    and $-16, %rsp
    call early_trap
    ud2

.macro EARLY_ENTRY vector
    .balign 16
early_entry_\vector:
    .if (\vector == 8) || ((\vector >= 10) && (\vector <= 14)) || (\vector == 17) || (\vector == 21) || (\vector == 29) || (\vector == 30)
    .else
    pushq $0
    .endif
    pushq $\vector
    jmp early_common
    .pushsection .rodata.early_entries, "a"
    .quad early_entry_\vector
    .popsection
.endm

    .pushsection .rodata.early_entries, "a"
    .balign 8
    .global early_entries
early_entries:
    .popsection

.altmacro
.set early_vector, 0
.rept 32
    EARLY_ENTRY %early_vector
    .set early_vector, early_vector + 1
.endr
.noaltmacro

    .section .note.GNU-stack, "", @progbits
