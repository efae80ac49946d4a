// SPDX-License-Identifier: BSD-2-Clause
// Claim: where CPUID offers FSGSBASE, kernel and users read and write the bases by instruction once
// the kernel's CR4 has the bit, and a change of mode exchanges those of GS only.
#include "framework/memory.hpp"
#include "framework/user.hpp"

extern "C" {
#include <xen/arch-x86/cpuid.h>
}

namespace {

bool has_fsgsbase()
{
    uint32_t a = 7, b, c = 0, d;
    asm volatile(XEN_CPUID : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (b & 1) != 0;
}

#define READ_BASE(which)                                      \
    ([] {                                                     \
        uint64_t value_;                                      \
        asm volatile("rd" which " %0" : "=r"(value_));        \
        return value_;                                        \
    }())
#define WRITE_BASE(which, value) asm volatile("wr" which " %0" : : "r"(static_cast<uint64_t>(value)) : "memory")

}  // namespace

GUEST_TEST(segment_bases)
{
    install_traps();
    install_user_mode();
    if (!has_fsgsbase())
        skip("the CPU has no FSGSBASE");
    uint64_t cr4;
    asm volatile("mov %%cr4, %0" : "=r"(cr4));
    asm volatile("mov %0, %%cr4" : : "r"(cr4 | 1 << 16));
    WRITE_BASE("fsbase", 0x123456780000);
    WRITE_BASE("gsbase", 0x654321000000);
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_set_segment_base>(SEGBASE_GS_USER, 0x777000));
    CHECK_EQUAL(0x123456780000, READ_BASE("fsbase"));
    CHECK_EQUAL(0x654321000000, READ_BASE("gsbase"));
    trap_handlers[vector_syscall] = [](TrapFrame& frame) {
        frame.rax = READ_BASE("gsbase") == 0x654321000000 && READ_BASE("fsbase") == 0x888000;
    };
    const uint64_t seen = in_user_mode([](uint64_t) -> uint64_t {
        const uint64_t gs = READ_BASE("gsbase");
        const uint64_t fs = READ_BASE("fsbase");
        WRITE_BASE("fsbase", 0x888000);
        WRITE_BASE("gsbase", 0x999000);
        uint64_t kernel_sees = 0;
        asm volatile("syscall" : "+a"(kernel_sees) : : "rcx", "r11", "memory");
        return gs == 0x777000 && fs == 0x123456780000 && kernel_sees == 1 && READ_BASE("gsbase") == 0x999000;
    });
    CHECK_EQUAL(1, seen);
    CHECK_EQUAL(0x654321000000, READ_BASE("gsbase"));
    CHECK_EQUAL(0x888000, READ_BASE("fsbase"));
}
