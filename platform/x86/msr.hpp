// SPDX-License-Identifier: BSD-2-Clause
// Model-specific registers: their numbers and access to them.
// Source: Intel SDM vol 4, "Architectural MSRs"; AMD APM vol 2, "Model-Specific Registers (MSRs)".
#pragma once

#include <cstdint>

namespace bulkhead {

enum class Msr : uint32_t {
    IA32_APIC_BASE = 0x1B,
    IA32_FEATURE_CONTROL = 0x3A,
    IA32_SPEC_CTRL = 0x48,
    IA32_PRED_CMD = 0x49,
    IA32_ARCH_CAPABILITIES = 0x10A,
    IA32_FLUSH_CMD = 0x10B,
    IA32_SYSENTER_CS = 0x174,
    IA32_SYSENTER_ESP = 0x175,
    IA32_SYSENTER_EIP = 0x176,
    IA32_MISC_ENABLE = 0x1A0,
    IA32_PAT = 0x277,
    IA32_TSC_DEADLINE = 0x6E0,
    IA32_XSS = 0xDA0,
    IA32_EFER = 0xC0000080,
    IA32_STAR = 0xC0000081,
    IA32_LSTAR = 0xC0000082,
    IA32_CSTAR = 0xC0000083,
    IA32_FMASK = 0xC0000084,
    IA32_FS_BASE = 0xC0000100,
    IA32_GS_BASE = 0xC0000101,
    IA32_KERNEL_GS_BASE = 0xC0000102,
    IA32_TSC_AUX = 0xC0000103,
    VM_CR = 0xC0010114,
};

[[nodiscard]] inline uint64_t read_msr(Msr msr)
{
    uint32_t low;
    uint32_t high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(static_cast<uint32_t>(msr)));
    return (uint64_t{high} << 32) | low;
}

inline void write_msr(Msr msr, uint64_t value)
{
    asm volatile("wrmsr"
                 :
                 : "c"(static_cast<uint32_t>(msr)), "a"(static_cast<uint32_t>(value)),
                   "d"(static_cast<uint32_t>(value >> 32))
                 : "memory");
}

}  // namespace bulkhead
