# SPDX-License-Identifier: BSD-2-Clause
# stress-32: a 32-bit program without a C library. It makes system calls by int 0x80
# and by the vDSO's entry (sysenter or syscall), sets a thread area and reads through
# it, takes a signal and returns from it. Exit status 0 when all was well, else the
# number of the step that failed, plus 2.
    .code32
    .text
    .globl _start
_start:
    # The auxiliary vector lies behind the arguments and the environment.
    mov     (%esp), %ecx
    lea     8(%esp, %ecx, 4), %esi
1:  lodsl
    test    %eax, %eax
    jnz     1b
2:  lodsl
    mov     %eax, %edx
    lodsl
    cmp     $32, %edx               # AT_SYSINFO: the vDSO's system call entry
    jne     3f
    mov     %eax, entry
3:  test    %edx, %edx
    jnz     2b

    mov     $1, %ebp                # step 1: getpid both ways
    mov     $1000, %edi
4:  mov     $20, %eax
    int     $0x80
    mov     %eax, %esi
    mov     $20, %eax
    call    *entry
    cmp     %esi, %eax
    jne     failed
    dec     %edi
    jnz     4b

    inc     %ebp                    # step 2: a thread area, read through GS
    mov     $243, %eax
    mov     $area, %ebx
    int     $0x80
    test    %eax, %eax
    jnz     failed
    mov     area, %eax
    lea     3(, %eax, 8), %eax
    mov     %eax, %gs
    mov     $200, %edi
5:  mov     %gs:0, %eax
    cmp     $0x12345678, %eax
    jne     failed
    mov     $158, %eax              # sched_yield
    call    *entry
    dec     %edi
    jnz     5b

    inc     %ebp                    # step 3: a signal and the return from it
    mov     $174, %eax              # rt_sigaction
    mov     $10, %ebx
    mov     $action, %ecx
    xor     %edx, %edx
    mov     $8, %esi
    int     $0x80
    test    %eax, %eax
    jnz     failed
    mov     $100, %edi
6:  mov     $20, %eax
    int     $0x80
    mov     %eax, %ebx
    mov     $37, %eax               # kill
    mov     $10, %ecx
    call    *entry
    test    %eax, %eax
    jnz     failed
    dec     %edi
    jnz     6b
    cmpl    $100, taken
    jne     failed

    xor     %ebx, %ebx
    jmp     leave
failed:
    lea     2(%ebp), %ebx
leave:
    mov     $1, %eax
    int     $0x80

handler:
    incl    taken
    ret

restorer:
    mov     $173, %eax              # rt_sigreturn
    int     $0x80

by_interrupt:
    int     $0x80
    ret

    .data
entry:  .long by_interrupt
taken:  .long 0
word:   .long 0x12345678
# struct user_desc: any entry, base, limit, 32-bit data, limit in pages, useable
area:   .long -1, word, 0xfffff, 0x51
# struct sigaction of the kernel: handler, SA_RESTORER | SA_SIGINFO, restorer, mask
action: .long handler, 0x04000004, restorer, 0, 0
    .section .note.GNU-stack, "", @progbits
