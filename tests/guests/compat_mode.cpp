// SPDX-License-Identifier: BSD-2-Clause
// Claim: the iret hypercall enters compatibility mode, where 32-bit user code runs; its interrupts,
// faults, SYSCALL and SYSENTER come to the 64-bit kernel by trap table and call-backs, and it goes on.
#include "framework/memory.hpp"
#include "framework/user.hpp"

extern "C" {
#include <xen/arch-x86/cpuid.h>
#include <xen/callback.h>
extern const char compat_code[], compat_code_end[];
}

// 32-bit code, copied to a low page: position-independent.
asm(R"(
    .pushsection .rodata
    .globl compat_code, compat_code_end
compat_code:
    .code32
    mov     $5, %eax
    .byte   0x48, 0x90          # dec %eax; nop. In 64-bit mode a nop with a prefix
    mov     $0x11111111, %ebx
    push    %ebx
    int     $0x80               # 1: the trap table, dpl 3
    ud2                         # 2: a fault
    mov     $0x33, %edx
    syscall                     # 3: CALLBACKTYPE_syscall32
    mov     $0x44, %edx
    pushf
    orl     $0x4000, (%esp)     # NT stays set over SYSENTER: the hypervisor must not return with it
    popf
    sysenter                    # 4: CALLBACKTYPE_sysenter
    hlt
compat_code_end:
    .code64
    .popsection
)");

namespace {

constexpr uint64_t code_address = 0x400000;
constexpr uint64_t stack_end = code_address + 2 * page_bytes;
constexpr uint64_t flat_user_cs32 = FLAT_USER_CS32;

TrapFrame at[4];

bool is_intel()
{
    uint32_t a = 0, b, c, d;
    asm volatile(XEN_CPUID : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
    return b == 0x756e6547;                         // "Genu"
}

template <unsigned N>
void keep(TrapFrame& frame)
{
    CHECK_EQUAL(0, at[N].vector);
    at[N] = frame;
    if (frame.vector == 6)
        frame.rip += 2;
    if (N == 3)
        end_user_mode(frame, frame.rdx);
}

uint64_t run()
{
    user_cs = flat_user_cs32;
    user_ss = FLAT_USER_SS;
    for (TrapFrame& frame : at)
        frame = {};
    return run_user(code_address, stack_end, 0);
}

void without_callbacks()
{
    trap_handlers[0x80] = keep<0>;
    // Nobody takes it: a fault of the user's, at the instruction.
    trap_handlers[6] = [](TrapFrame& frame) {
        if (at[1].vector == 0)
            return keep<1>(frame);
        at[2] = frame;
        end_user_mode(frame, 0x55);
    };
    trap_handlers[13] = trap_handlers[6];
    CHECK_EQUAL(0x55, run());
    CHECK_EQUAL(at[1].rip + 7, at[2].rip);
    CHECK(at[2].vector == 6 || at[2].vector == 13);
}

void with_callbacks()
{
    trap_handlers[0x80] = keep<0>;
    trap_handlers[6] = keep<1>;
    trap_handlers[vector_syscall32] = keep<2>;
    trap_handlers[vector_sysenter] = keep<3>;
    trap_handlers[13] = keep<3>;
    register_callback(CALLBACKTYPE_syscall32, syscall32_entry);
    register_callback(CALLBACKTYPE_sysenter, sysenter_entry);
    CHECK_EQUAL(0x44, run());
    CHECK_EQUAL(4, at[0].rax);
    CHECK_EQUAL(0x11111111, at[0].rbx);
    for (unsigned i = 0; i < 3; ++i) {
        CHECK_EQUAL(flat_user_cs32, at[i].cs & 0xffff);
        CHECK_EQUAL(stack_end - 4, at[i].rsp);
    }
    CHECK_EQUAL(at[0].rip, at[1].rip);
    CHECK_EQUAL(at[1].rip + 9, at[2].rip);          // behind ud2, mov and SYSCALL
    CHECK_EQUAL(0x33, at[2].rdx);
    CHECK_EQUAL(at[2].rip, at[2].rcx);
    // SYSENTER keeps neither: the kernel knows where its users come from.
    if (at[3].vector == vector_sysenter) {
        CHECK_EQUAL(0, at[3].rip);
        CHECK_EQUAL(0, at[3].rsp);
    } else {
        CHECK(!is_intel());                         // Xen leaves the instruction off on AMD's CPUs
        CHECK_EQUAL(13, at[3].vector);
    }
    CHECK_EQUAL(3, at[3].cs & 3);
}

}  // namespace

GUEST_TEST(compat_mode)
{
    install_traps();
    install_user_mode();
    void* pages[2] = {new_page(), new_page()};
    for (const char* from = compat_code; from != compat_code_end; ++from)
        static_cast<char*>(pages[0])[from - compat_code] = *from;
    map_in_empty_slot(static_cast<uint64_t*>(address_of_mfn(user_table_mfn)), code_address, pages, 2, pte_page);
    without_callbacks();
    with_callbacks();
}
