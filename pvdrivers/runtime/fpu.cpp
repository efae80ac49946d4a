// SPDX-License-Identifier: BSD-2-Clause
// Source: Intel SDM vol 1, "Managing State Using the XSAVE Feature Set"; the prefix that asks the
// hypervisor for its CPUID: xen/include/public/arch-x86/xen.h, XEN_EMULATE_PREFIX.
#include "pvdrivers/runtime/fpu.hpp"

#include "pvdrivers/runtime/hardware_guest.hpp"

#include <cstdint>

namespace bulkhead {

namespace {

constexpr uint32_t xsave = 1u << 26;            // leaf 1, ECX
constexpr uint64_t osxsave = 1u << 18;          // CR4
constexpr uint64_t x87_sse_avx = 0x7;
constexpr uint64_t avx512 = 0xe0;

struct Leaf {
    uint32_t eax, ebx, ecx, edx;
};

Leaf hypervisor_cpuid(uint32_t leaf)
{
    Leaf result{leaf, 0, 0, 0};
    if (hardware_guest != nullptr) {
        asm volatile("cpuid" : "+a"(result.eax), "=b"(result.ebx), "+c"(result.ecx), "=d"(result.edx));
        return result;
    }
    asm volatile("ud2a\n\t.ascii \"xen\"\n\tcpuid"
                 : "+a"(result.eax), "=b"(result.ebx), "+c"(result.ecx), "=d"(result.edx));
    return result;
}

}  // namespace

void enable_vector_registers()
{
    if ((hypervisor_cpuid(1).ecx & xsave) == 0)
        return;
    const Leaf offered = hypervisor_cpuid(0xd);
    const uint64_t components = (uint64_t{offered.edx} << 32 | offered.eax) & (x87_sse_avx | avx512);
    uint64_t cr4;
    asm volatile("mov %%cr4, %0" : "=r"(cr4));
    asm volatile("mov %0, %%cr4" : : "r"(cr4 | osxsave));
    asm volatile("xsetbv"
                 :
                 : "c"(0), "a"(static_cast<uint32_t>(components)), "d"(static_cast<uint32_t>(components >> 32)));
}

}  // namespace bulkhead
