// SPDX-License-Identifier: BSD-2-Clause
// Included by machine/registers.hpp only.
#pragma once

#include "platform/x86/msr.hpp"

namespace bulkhead::machine {

// RDFSBASE and its kin may be used: set on the boot CPU once CR4 allows them. Before that, and on CPUs
// without, the MSRs do the same.
extern constinit bool has_base_instructions;

inline Bases read_bases()
{
    if (!has_base_instructions) [[unlikely]]
        return {read_msr(Msr::IA32_FS_BASE), read_msr(Msr::IA32_GS_BASE)};
    Bases bases;
    asm volatile("rdfsbase %0\n rdgsbase %1" : "=r"(bases.fs), "=r"(bases.gs));
    return bases;
}

inline uint64_t read_fs_base() { return read_bases().fs; }
inline uint64_t read_gs_base() { return read_bases().gs; }
inline uint64_t read_kernel_gs_base() { return read_msr(Msr::IA32_KERNEL_GS_BASE); }

inline void write_fs_base(uint64_t base)
{
    if (!has_base_instructions) [[unlikely]]
        return write_msr(Msr::IA32_FS_BASE, base);
    asm volatile("wrfsbase %0" : : "r"(base) : "memory");
}

inline void write_gs_base(uint64_t base)
{
    if (!has_base_instructions) [[unlikely]]
        return write_msr(Msr::IA32_GS_BASE, base);
    asm volatile("wrgsbase %0" : : "r"(base) : "memory");
}

inline void write_bases(Bases bases)
{
    if (!has_base_instructions) [[unlikely]] {
        write_msr(Msr::IA32_FS_BASE, bases.fs);
        write_msr(Msr::IA32_GS_BASE, bases.gs);
        return;
    }
    asm volatile("wrfsbase %0\n wrgsbase %1" : : "r"(bases.fs), "r"(bases.gs) : "memory");
}

inline void write_kernel_gs_base(uint64_t base) { write_msr(Msr::IA32_KERNEL_GS_BASE, base); }

inline void read_selectors(Selectors& to)
{
    asm volatile("mov %%ds, %0\n mov %%es, %1\n mov %%fs, %2\n mov %%gs, %3"
                 : "=m"(to.ds), "=m"(to.es), "=m"(to.fs), "=m"(to.gs));
}

inline void load_gdt(const TablePointer& window) { asm volatile("lgdt %0" : : "m"(window)); }
inline void load_ldt_register(uint16_t selector) { asm volatile("lldt %0" : : "r"(selector)); }

inline void swap_gs()
{
    asm volatile("swapgs" : : : "memory");
}

inline void switch_table(uint64_t frame)
{
    asm volatile("mov %0, %%cr3" : : "r"(frame << 12) : "memory");
}

inline uint64_t read_cr2()
{
    uint64_t value;
    asm volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}

inline void write_cr2(uint64_t value)
{
    asm volatile("mov %0, %%cr2" : : "r"(value));
}

}  // namespace bulkhead::machine
