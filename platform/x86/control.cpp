// SPDX-License-Identifier: BSD-2-Clause
// See machine/control.hpp. Own CPU, interrupts off.
#include "machine/control.hpp"

#include "core/cpu.hpp"
#include "machine/this_cpu.hpp"
#include "platform/x86/cpuid.hpp"
#include "platform/x86/features.hpp"
#include "platform/x86/instructions.hpp"
#include "platform/x86/msr.hpp"
#include "platform/x86/smap.hpp"

namespace bulkhead::machine {

namespace {

constexpr uint64_t cr4_tsd = 1u << 2;
constexpr uint32_t IA32_BIOS_SIGN_ID = 0x8B;

}  // namespace

void set_time_stamp_disable(bool on)
{
    const uint64_t old_cr4 = x86::read_cr4();
    const uint64_t new_cr4 = on ? old_cr4 | cr4_tsd : old_cr4 & ~cr4_tsd;
    if (new_cr4 != old_cr4)
        x86::write_cr4(new_cr4);
    this_cpu().machine.cr4_of_guest = new_cr4 & cr4_tsd;
}

void write_tsc_aux(uint64_t value)
{
    this_cpu().machine.tsc_aux = value;
    if (features().rdtscp)
        write_msr(Msr::IA32_TSC_AUX, value);
}

// Intel's needs a CPUID after writing zero; AMD's register of the same number ignores both.
// Source: Intel SDM vol 3, "Determining the Signature".
uint64_t microcode_revision()
{
    const bool intel = features().vendor == CpuVendor::intel;
    if (!intel && features().vendor != CpuVendor::amd)
        return 0;
    if (intel) {
        asm volatile("1: wrmsr\n2:\n" FIXUP("1b", "2b") : : "c"(IA32_BIOS_SIGN_ID), "a"(0), "d"(0) : "memory");
        (void)cpuid(1);
    }
    uint32_t low = 0;
    uint32_t high = 0;
    asm volatile("1: rdmsr\n2:\n" FIXUP("1b", "2b") : "+a"(low), "+d"(high) : "c"(IA32_BIOS_SIGN_ID));
    return (uint64_t{high} << 32) | low;
}

}  // namespace bulkhead::machine
