// SPDX-License-Identifier: BSD-2-Clause
// What the CPU keeps for XSAVE and XRSTOR, set up once.
#include "machine/fpu.hpp"

#include "platform/x86/cpuid.hpp"
#include "platform/x86/features.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace bulkhead::machine {

namespace {

// x87, SSE, AVX, and the three of AVX-512. PKRU is left out: a PV kernel cannot use protection keys.
constexpr uint64_t switchable_components = 0x1 | 0x2 | 0x4 | 0x20 | 0x40 | 0x80;

constinit uint32_t area_bytes = 512;
constinit bool packs_soundly = true;

constexpr uint32_t xsave_leaf = 0xD;
constexpr uint32_t fcw_after_reset = 0x37F;
constexpr uint32_t mxcsr_after_reset = 0x1F80;
constexpr uint32_t up_to_avx = 0x7;
constexpr uint8_t avx_alone = 0x4;

void load_state(const void* area, uint32_t which)
{
    asm volatile("xrstor64 (%0)" : : "r"(area), "a"(which), "d"(0) : "memory");
}

// Source: Intel SDM vol 1, "Standard Format of an XSAVE Area" and "Compacted Format of an XSAVE Area".
bool try_packing()
{
    constexpr uint32_t xsavec_bit = 2;
    constexpr size_t header = 512;
    constexpr size_t upper_half_of_ymm0 = header + 64;
    constexpr size_t half_bytes = 16;
    if ((fpu_of_cpu.components & up_to_avx) != up_to_avx || (cpuid(xsave_leaf, 1).eax & xsavec_bit) == 0)
        return true;
    alignas(64) std::array<uint8_t, upper_half_of_ymm0 + 16 * half_bytes> area{};
    memcpy(&area[24], &mxcsr_after_reset, sizeof(mxcsr_after_reset));
    const auto nothing = area;
    // In both formats this is the first component behind the header.
    area[header] = avx_alone;
    memset(&area[upper_half_of_ymm0], 0xFF, half_bytes);
    load_state(area.data(), up_to_avx);
    area = nothing;
    asm volatile("xsavec64 (%0)" : : "r"(area.data()), "a"(up_to_avx), "d"(0) : "memory");
    load_state(nothing.data(), up_to_avx);
    return std::all_of(&area[upper_half_of_ymm0], &area[upper_half_of_ymm0 + half_bytes],
                       [](uint8_t byte) { return byte == 0xFF; });
}

}  // namespace

constinit FpuOfCpu fpu_of_cpu{};

uint32_t fpu_area_bytes() { return area_bytes; }
bool packs_fpu_soundly() { return packs_soundly; }

void init_fpu_area(void* area)
{
    memset(area, 0, area_bytes);
    auto* bytes = static_cast<unsigned char*>(area);
    memcpy(bytes, &fcw_after_reset, sizeof(fcw_after_reset));
    memcpy(bytes + 24, &mxcsr_after_reset, sizeof(mxcsr_after_reset));
}

uint64_t read_xcr0()
{
    uint32_t low;
    uint32_t high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t{high} << 32) | low;
}

void init_fpu()
{
    uint64_t cr0;
    asm volatile("mov %%cr0, %0" : "=r"(cr0));
    cr0 = (cr0 & ~uint64_t{0xC}) | 0x22;   // EM and TS off, MP and NE on
    asm volatile("mov %0, %%cr0" : : "r"(cr0));
    uint64_t cr4;
    asm volatile("mov %%cr4, %0" : "=r"(cr4));
    cr4 |= 0x600;                          // OSFXSR, OSXMMEXCPT
    if (features().xsave)
        cr4 |= uint64_t{1} << 18;          // OSXSAVE
    asm volatile("mov %0, %%cr4" : : "r"(cr4));
    if (!features().xsave)
        return;
    const CpuidResult offered = cpuid(xsave_leaf, 0);
    const uint64_t mask = ((uint64_t{offered.edx} << 32) | offered.eax) & switchable_components;
    write_xcr0(mask);
    fpu_of_cpu.components = mask;
    area_bytes = cpuid(xsave_leaf, 0).ebx;  // for what XCR0 holds now
    fpu_of_cpu.optimised = (cpuid(xsave_leaf, 1).eax & 1) != 0;
    packs_soundly = try_packing();
}

// Without XSAVEOPT.
void save_fpu_otherwise(void* area, uint64_t guest_xcr0)
{
    if (fpu_of_cpu.components == 0) {
        asm volatile("fxsave64 (%0)" : : "r"(area) : "memory");
        return;
    }
    if (guest_xcr0 != fpu_of_cpu.components)
        write_xcr0(fpu_of_cpu.components);
    asm volatile("xsave64 (%0)" : : "r"(area), "a"(-1), "d"(-1) : "memory");
}

}  // namespace bulkhead::machine
