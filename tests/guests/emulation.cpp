// SPDX-License-Identifier: BSD-2-Clause
// Claim: privileged instructions of a kernel are emulated as the ABI says: control and debug
// registers show the guest's view, unknown model-specific registers and forbidden instructions are
// #GP, the forced-emulation prefix gives the hypervisor's CPUID.
#include "framework/memory.hpp"
#include "framework/traps.hpp"

extern "C" {
#include <xen/arch-x86/cpuid.h>
#include <xen/physdev.h>
}

namespace {

struct Leaf {
    uint32_t a, b, c, d;
};
Leaf forced_cpuid(uint32_t leaf, uint32_t subleaf = 0)
{
    Leaf r;
    asm volatile(XEN_CPUID : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(subleaf));
    return r;
}

uint64_t rdmsr(uint32_t msr)
{
    uint32_t low;
    uint32_t high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return uint64_t{high} << 32 | low;
}
void wrmsr(uint32_t msr, uint64_t value)
{
    asm volatile("wrmsr" : : "c"(msr), "a"(static_cast<uint32_t>(value)), "d"(static_cast<uint32_t>(value >> 32)) : "memory");
}

#define READ(reg)                                            \
    ([] {                                                    \
        uint64_t value_;                                     \
        asm volatile("mov %%" reg ", %0" : "=r"(value_));    \
        return value_;                                       \
    }())
#define WRITE(reg, value) asm volatile("mov %0, %%" reg : : "r"(static_cast<uint64_t>(value)) : "memory")

void control_registers()
{
    const uint64_t cr0 = READ("cr0");
    CHECK_EQUAL(0x80000021, cr0 & 0x80000029);       // PG, NE, PE; not TS
    WRITE("cr0", cr0 | 8);
    CHECK_EQUAL(cr0 | 8, READ("cr0"));
    CHECK_TRAPS(7, 0, asm volatile("fnop"));
    CHECK_EQUAL(cr0, READ("cr0"));                   // the trap has cleared TS
    CHECK_NO_TRAP(asm volatile("fnop"));
    WRITE("cr0", cr0 | 8);
    asm volatile("clts");
    CHECK_EQUAL(cr0, READ("cr0"));
    CHECK_NO_TRAP(asm volatile("fnop"));
    CHECK_TRAPS(13, 0, WRITE("cr0", cr0 & ~uint64_t{0x10000}));
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_fpu_taskswitch>(1));
    CHECK_EQUAL(cr0 | 8, READ("cr0"));
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_fpu_taskswitch>(0));

    WRITE("cr2", 0x12345);
    CHECK_EQUAL(0x12345, READ("cr2"));
    CHECK_EQUAL(0x12345, own_info().arch.cr2);
    CHECK_EQUAL(mfn_of(reinterpret_cast<void*>(start_info->pt_base)) << 12, READ("cr3"));
    CHECK_TRAPS(13, 0, (void)READ("cr8"));

    const uint64_t cr4 = READ("cr4");
    CHECK(cr4 & 0x20);                               // PAE
    CHECK_EQUAL(0x600, cr4 & 0x600);
    WRITE("cr4", cr4 | 0x40000);                     // OSXSAVE
    CHECK(READ("cr4") & 0x40000);
    WRITE("cr4", READ("cr4") | 0x2000);              // VMXE: ignored
    CHECK_EQUAL(0, READ("cr4") & 0x2000);
    WRITE("cr4", READ("cr4") | 4);                   // TSD: a kernel's own clock stays open
    CHECK_NO_TRAP(asm volatile("rdtsc" : : : "rax", "rdx"));
    WRITE("cr4", READ("cr4") & ~uint64_t{4});
}

void cpuid()
{
    const Leaf signature = forced_cpuid(XEN_CPUID_FIRST_LEAF);
    CHECK_EQUAL(XEN_CPUID_SIGNATURE_EBX, signature.b);
    CHECK_EQUAL(XEN_CPUID_SIGNATURE_ECX, signature.c);
    CHECK_EQUAL(XEN_CPUID_SIGNATURE_EDX, signature.d);
    CHECK(signature.a >= XEN_CPUID_FIRST_LEAF + 5);
    CHECK_EQUAL(4 << 16 | 17, forced_cpuid(XEN_CPUID_FIRST_LEAF + 1).a);
    const Leaf one = forced_cpuid(1);
    CHECK(one.c & 1u << 31);                         // hypervisor
    CHECK(one.c & 1u << 27);                         // OSXSAVE: the guest's CR4
    CHECK_EQUAL(0, one.c & (1u << 17 | 1u << 5));    // PCID, VMX
    CHECK_EQUAL(0, one.d & (1u << 1 | 1u << 3));     // VME, PSE
    CHECK_EQUAL(0, one.b >> 24);
    CHECK_EQUAL(0, forced_cpuid(7).b & (1u << 7 | 1u << 20 | 1u << 10));     // SMEP, SMAP, INVPCID
    CHECK(forced_cpuid(XEN_CPUID_FIRST_LEAF + 5).b >= 28);
}

void registers_of_the_model()
{
    CHECK_EQUAL(0xD01, rdmsr(0xC0000080) & 0xD01);
    CHECK_EQUAL(0x50100070406, rdmsr(0x277));
    CHECK(rdmsr(0x1B) & 0x100);                      // boot CPU
    wrmsr(0xC0000100, 0x123456789000);
    CHECK_EQUAL(0x123456789000, rdmsr(0xC0000100));
    wrmsr(0xC0000102, 0x55000);
    CHECK_EQUAL(0x55000, rdmsr(0xC0000102));
    CHECK_TRAPS(13, 0, wrmsr(0xC0000100, uint64_t{1} << 47));
    CHECK_TRAPS(13, 0, (void)rdmsr(0x12345678));
    CHECK_TRAPS(13, 0, wrmsr(0x12345678, 0));
    CHECK_TRAPS(13, 0, wrmsr(0xC0000080, 0x1000 | rdmsr(0xC0000080)));   // EFER.SVME
    wrmsr(0xC0000100, 0);
}

void extended_state()
{
    if ((forced_cpuid(1).c & 1u << 26) == 0)
        return;
    const auto xsetbv = [](uint32_t index, uint64_t value) {
        asm volatile("xsetbv" : : "c"(index), "a"(static_cast<uint32_t>(value)), "d"(static_cast<uint32_t>(value >> 32)));
    };
    CHECK_NO_TRAP(xsetbv(0, 3));
    uint32_t low;
    asm volatile("xgetbv" : "=a"(low) : "c"(0) : "rdx");
    CHECK_EQUAL(3, low);
    CHECK_EQUAL(576, forced_cpuid(0xD).b);
    CHECK_TRAPS(13, 0, xsetbv(0, 2));
    CHECK_TRAPS(13, 0, xsetbv(0, 0));
    CHECK_TRAPS(13, 0, xsetbv(0, uint64_t{1} << 40));
    CHECK_TRAPS(13, 0, xsetbv(1, 3));
}

void forbidden_instructions()
{
    CHECK_TRAPS(13, 0, asm volatile("hlt"));
    CHECK_TRAPS(13, 0, asm volatile("invd"));
    CHECK_TRAPS(13, 0, asm volatile("swapgs"));
    CHECK_TRAPS(13, 0, asm volatile("invlpg (%0)" : : "r"(virt_base)));
    uint64_t pointer[2] = {};
    CHECK_TRAPS(13, 0, asm volatile("lgdt (%0)" : : "r"(pointer)));
    CHECK_TRAPS(13, 0, asm volatile("lidt (%0)" : : "r"(pointer)));
    CHECK_TRAPS(13, 0, asm volatile("lmsw %w0" : : "r"(1)));
    CHECK_TRAPS(13, 0, asm volatile("mov %0, %%cr8" : : "r"(uint64_t{0})));
    CHECK_NO_TRAP(asm volatile("wbinvd"));
}

void ports()
{
    physdev_set_iopl_t iopl = {0};
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_physdev_op>(PHYSDEVOP_set_iopl, as_argument(&iopl)));
    CHECK_TRAPS(13, 0, asm volatile("inb $0x80, %%al" : : : "rax"));
    CHECK_TRAPS(13, 0, asm volatile("cli"));
    iopl.iopl = 1;
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_physdev_op>(PHYSDEVOP_set_iopl, as_argument(&iopl)));
    uint64_t rax = 0;
    CHECK_NO_TRAP(asm volatile("inl %%dx, %%eax" : "+a"(rax) : "d"(0xcf8)));
    CHECK_NO_TRAP(asm volatile("outb %%al, $0x80" : : "a"(0)));
    CHECK_NO_TRAP(asm volatile("cli"));
    CHECK_NO_TRAP(asm volatile("sti"));
    iopl.iopl = 4;
    CHECK_EQUAL(-22, hypercall<__HYPERVISOR_physdev_op>(PHYSDEVOP_set_iopl, as_argument(&iopl)));
}

void debug_registers()
{
    CHECK_EQUAL(0xffff0ff0, READ("db6"));
    CHECK_EQUAL(0x400, READ("db7"));
    static volatile uint64_t watched;
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_set_debugreg>(0, as_argument(const_cast<uint64_t*>(&watched))));
    CHECK_EQUAL(as_argument(const_cast<uint64_t*>(&watched)), READ("db0"));
    WRITE("db7", 0xD0001 | 0x400);                   // L0, write, 8 bytes wide: condition 01, length 11
    const Caught caught = catch_trap([] { watched = 1; });
    CHECK(caught);
    CHECK_EQUAL(1, caught.vector);
    CHECK_EQUAL(1, READ("db6") & 0xF);
    WRITE("db6", 0);
    CHECK_EQUAL(0xffff0ff0, READ("db6"));
    WRITE("db7", 0x400);
    CHECK_NO_TRAP(watched = 2);
    CHECK_EQUAL(-1, hypercall<__HYPERVISOR_set_debugreg>(0, 0xffff830000000000));
    CHECK_TRAPS(13, 0, WRITE("db0", 0xffff830000000000));

    // Single step: behind an emulated instruction as behind any other.
    CHECK_TRAPS(1, 0, asm volatile("pushf\n orq $0x100, (%%rsp)\n popf\n nop\n nop" : : : "cc", "memory"));
    CHECK_TRAPS(1, 0, asm volatile("pushf\n orq $0x100, (%%rsp)\n popf\n clts\n nop" : : : "cc", "memory"));
    CHECK(READ("db6") & 0x4000);
}

}  // namespace

GUEST_TEST(emulation)
{
    install_traps();
    control_registers();
    cpuid();
    registers_of_the_model();
    extended_state();
    forbidden_instructions();
    ports();
    debug_registers();
}
