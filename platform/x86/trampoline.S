// SPDX-License-Identifier: BSD-2-Clause
// The first instructions of every CPU but the boot CPU: from real mode in a page below 1 MiB to the
// core's own address space, without a stack. Then it says that it is there and waits for a number.

#include "platform/x86/layout.hpp"
#include "platform/x86/trampoline.hpp"

#define HERE(label) ((label) - trampoline_begin)

#define CR0_PG_WP_NE_MP_PE 0x80010023
#define CR4_PAE            0x20
#define IA32_EFER          0xc0000080
#define EFER_LME_NXE       0x900

    .section .rodata.trampoline, "a", @progbits
    .balign 16
    .global trampoline_begin, trampoline_end, trampoline_tables
    .global trampoline_base_gdt, trampoline_base_32, trampoline_base_64
trampoline_begin:
    .code16
    cli
    cld
    mov %cs, %ax
    mov %ax, %ds
    movzwl %ax, %ebx
    shl $4, %ebx                            // physical address of this page
    lgdtl HERE(gdt_pointer)
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl *HERE(far_32)

    .code32
protected_mode:
    mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $CR4_PAE, %eax
    mov %eax, %cr4
    mov HERE(trampoline_tables)(%ebx), %eax
    mov %eax, %cr3
    mov $IA32_EFER, %ecx
    mov $EFER_LME_NXE, %eax
    xor %edx, %edx
    wrmsr
    mov $CR0_PG_WP_NE_MP_PE, %eax
    mov %eax, %cr0
    ljmp *HERE(far_64)(%ebx)

    .code64
long_mode:
    movabs $secondary_entry, %rax
    jmp *%rax

    .balign 8
gdt:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff
gdt_pointer:
    .word gdt_pointer - gdt - 1
trampoline_base_gdt:                        // the page's address is added to these three when copied
    .long HERE(gdt)
far_32:
trampoline_base_32:
    .long HERE(protected_mode)
    .word 8
far_64:
trampoline_base_64:
    .long HERE(long_mode)
    .word 24
trampoline_tables:
    .long 0
trampoline_end:

// --- In the image -----------------------------------------------------------------

    .text
secondary_entry:
    mov secondary_start+SECONDARY_TABLE(%rip), %rax
    mov %rax, %cr3

    // The APIC id: all 32 bits from the topology leaf where there is one.
    xor %eax, %eax
    cpuid
    mov $1, %esi
    cmp $0xb, %eax
    jb 1f
    mov $0xb, %eax
    xor %ecx, %ecx
    cpuid
    test %ebx, %ebx
    jz 1f
    mov %edx, %edi
    jmp 2f
1:  mov %esi, %eax
    cpuid
    shr $24, %ebx
    mov %ebx, %edi
2:
    lea secondary_start+SECONDARY_APIC_IDS(%rip), %rsi
    mov secondary_start+SECONDARY_COUNT(%rip), %ecx
    xor %eax, %eax
3:  cmp %ecx, %eax
    jae unwanted
    cmp %edi, (%rsi,%rax,4)
    je 4f
    inc %eax
    jmp 3b
4:
    lea secondary_start+SECONDARY_ARRIVED(%rip), %rdx
    movl $1, (%rdx,%rax,4)
    lea secondary_start+SECONDARY_NUMBER(%rip), %rdx
5:  pause
    mov (%rdx,%rax,4), %edi
    test %edi, %edi
    jz 5b
    js unwanted
    movabs $LAYOUT_CPU_BLOCKS, %rsp
    mov %rdi, %rax
    inc %rax
    shl $LAYOUT_CPU_SHIFT, %rax
    add %rax, %rsp
    xor %ebp, %ebp
    call secondary_main
    ud2

unwanted:
    cli
    hlt
    jmp unwanted

    .section .note.GNU-stack, "", @progbits
