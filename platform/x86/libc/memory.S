# SPDX-License-Identifier: BSD-2-Clause
# memcpy, memmove and memset for ring 0: general registers only, and string
# instructions for large sizes, which move a whole cache line a step on current
# CPUs and count as one instruction for eight bytes where instructions are
# counted. Source: System V ABI for AMD64, "Parameter Passing".

    .text

    # The unit test defines these two macros itself, to give other names.
    .ifndef memory_under_test
    .macro function name
    .globl  \name
    .hidden \name
    .type   \name, @function
    .balign 16
\name:
    .endm

    .macro end name
    .size   \name, . - \name
    .endm
    .endif

# Copies 0 to 16 bytes; every load comes before the first store, so that the
# ranges may overlap. In: %rdi, %rsi, %rdx. Returns from the caller.
    .macro copy_up_to_16
    cmp     $8, %edx
    jb      .Lbelow_8\@
    mov     (%rsi), %rcx
    mov     -8(%rsi, %rdx), %r8
    mov     %rcx, (%rdi)
    mov     %r8, -8(%rdi, %rdx)
    ret
.Lbelow_8\@:
    cmp     $4, %edx
    jb      .Lbelow_4\@
    mov     (%rsi), %ecx
    mov     -4(%rsi, %rdx), %r8d
    mov     %ecx, (%rdi)
    mov     %r8d, -4(%rdi, %rdx)
    ret
.Lbelow_4\@:
    test    %edx, %edx
    je      .Lnothing\@
    movzbl  (%rsi), %ecx
    movzbl  -1(%rsi, %rdx), %r8d
    mov     %edx, %r9d
    shr     %r9d
    movzbl  (%rsi, %r9), %r10d
    mov     %cl, (%rdi)
    mov     %r10b, (%rdi, %r9)
    mov     %r8b, -1(%rdi, %rdx)
.Lnothing\@:
    ret
    .endm

function memcpy
    mov     %rdi, %rax
    cmp     $16, %rdx
    ja      .Lforward
    copy_up_to_16

# More than 16 bytes, lowest address first; safe for a destination below an
# overlapping source, since the last 16 bytes are loaded before any store.
.Lforward:
    cmp     $128, %rdx
    ja      .Lforward_string
    mov     -16(%rsi, %rdx), %r8
    mov     -8(%rsi, %rdx), %r9
    lea     -16(%rdi, %rdx), %r11
1:  mov     (%rsi), %rcx
    mov     8(%rsi), %r10
    add     $16, %rsi
    mov     %rcx, (%rdi)
    mov     %r10, 8(%rdi)
    add     $16, %rdi
    cmp     %r11, %rdi
    jb      1b
    mov     %r8, (%r11)
    mov     %r9, 8(%r11)
    ret
.Lforward_string:
    mov     -8(%rsi, %rdx), %r8
    lea     -8(%rdi, %rdx), %r11
    mov     %rdx, %rcx
    shr     $3, %rcx
    rep movsq
    mov     %r8, (%r11)
    ret
end memcpy

function memmove
    mov     %rdi, %rax
    cmp     $16, %rdx
    ja      2f
    copy_up_to_16
2:  mov     %rdi, %rcx
    sub     %rsi, %rcx
    cmp     %rdx, %rcx
    jae     .Lforward
    # The destination begins inside the source: highest address first.
    mov     (%rsi), %r8
    mov     8(%rsi), %r9
3:  mov     -8(%rsi, %rdx), %rcx
    mov     -16(%rsi, %rdx), %r10
    mov     %rcx, -8(%rdi, %rdx)
    mov     %r10, -16(%rdi, %rdx)
    sub     $16, %rdx
    cmp     $16, %rdx
    ja      3b
    mov     %r8, (%rdi)
    mov     %r9, 8(%rdi)
    ret
end memmove

function memset
    mov     %rdi, %r9
    movzbl  %sil, %esi
    mov     $0x0101010101010101, %rax
    imul    %rsi, %rax
    cmp     $16, %rdx
    ja      2f
    cmp     $8, %edx
    jb      1f
    mov     %rax, (%rdi)
    mov     %rax, -8(%rdi, %rdx)
    mov     %r9, %rax
    ret
1:  cmp     $4, %edx
    jb      3f
    mov     %eax, (%rdi)
    mov     %eax, -4(%rdi, %rdx)
    mov     %r9, %rax
    ret
3:  test    %edx, %edx
    je      4f
    mov     %edx, %ecx
    shr     %ecx
    mov     %al, (%rdi)
    mov     %al, (%rdi, %rcx)
    mov     %al, -1(%rdi, %rdx)
4:  mov     %r9, %rax
    ret
2:  cmp     $128, %rdx
    ja      6f
    lea     -16(%rdi, %rdx), %r11
5:  mov     %rax, (%rdi)
    mov     %rax, 8(%rdi)
    add     $16, %rdi
    cmp     %r11, %rdi
    jb      5b
    mov     %rax, (%r11)
    mov     %rax, 8(%r11)
    mov     %r9, %rax
    ret
6:  mov     %rax, -8(%rdi, %rdx)
    mov     %rdx, %rcx
    shr     $3, %rcx
    rep stosq
    mov     %r9, %rax
    ret
end memset

    .section .note.GNU-stack, "", @progbits
