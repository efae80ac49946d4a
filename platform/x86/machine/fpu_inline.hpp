// SPDX-License-Identifier: BSD-2-Clause
// Included by machine/fpu.hpp only.
#pragma once

namespace bulkhead::machine {

// Constant after start.
struct FpuOfCpu {
    uint64_t components;        // 0: no XSAVE
    bool optimised;             // XSAVEOPT
};
extern constinit FpuOfCpu fpu_of_cpu;

inline void write_xcr0(uint64_t value)
{
    asm volatile("xsetbv" : : "c"(0), "a"(static_cast<uint32_t>(value)), "d"(static_cast<uint32_t>(value >> 32)));
}

inline uint64_t fpu_components() { return fpu_of_cpu.components; }

void save_fpu_otherwise(void* area, uint64_t guest_xcr0);

// The masks of XSAVE and XRSTOR name everything: the instructions take only what XCR0 has on, and that
// is all components here.
inline void save_fpu(void* area, uint64_t guest_xcr0)
{
    if (!fpu_of_cpu.optimised) [[unlikely]]
        return save_fpu_otherwise(area, guest_xcr0);
    if (guest_xcr0 != fpu_of_cpu.components) [[unlikely]]
        write_xcr0(fpu_of_cpu.components);
    asm volatile("xsaveopt64 (%0)" : : "r"(area), "a"(-1), "d"(-1) : "memory");
}

inline void restore_fpu(const void* area, uint64_t guest_xcr0)
{
    if (fpu_of_cpu.components == 0) [[unlikely]] {
        asm volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
        return;
    }
    asm volatile("xrstor64 (%0)" : : "r"(area), "a"(-1), "d"(-1) : "memory");
    if (guest_xcr0 != fpu_of_cpu.components) [[unlikely]]
        write_xcr0(guest_xcr0);
}

}  // namespace bulkhead::machine
