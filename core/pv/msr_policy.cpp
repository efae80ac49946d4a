// SPDX-License-Identifier: BSD-2-Clause
// Source: Intel SDM vol 4, "Architectural MSRs"; AMD BKDG and PPR, "MSRs".
#include "core/pv/msr_policy.hpp"

#include "core/log.hpp"
#include "core/partition.hpp"
#include "core/pv/cpuid_policy.hpp"
#include "core/pv/segments.hpp"
#include "machine/clock.hpp"
#include "machine/control.hpp"

#include <atomic>

namespace bulkhead {

namespace {

constinit HostMsrs host_msrs = {};

// Names as in the manuals.
enum : uint32_t {
    IA32_TIME_STAMP_COUNTER = 0x10,
    IA32_PLATFORM_ID = 0x17,
    IA32_APIC_BASE = 0x1B,
    IA32_FEATURE_CONTROL = 0x3A,
    IA32_BIOS_SIGN_ID = 0x8B,       // AMD: PATCH_LEVEL
    MSR_PLATFORM_INFO = 0xCE,
    IA32_MTRRCAP = 0xFE,
    IA32_ARCH_CAPABILITIES = 0x10A,
    MSR_MISC_FEATURES_ENABLES = 0x140,
    IA32_MCG_CAP = 0x179,
    IA32_MCG_STATUS = 0x17A,
    IA32_MISC_ENABLE = 0x1A0,
    IA32_DEBUGCTL = 0x1D9,
    IA32_PAT = 0x277,
    IA32_MTRR_DEF_TYPE = 0x2FF,
    IA32_EFER = 0xC0000080,
    IA32_FS_BASE = 0xC0000100,
    IA32_GS_BASE = 0xC0000101,
    IA32_KERNEL_GS_BASE = 0xC0000102,
    IA32_TSC_AUX = 0xC0000103,
    AMD_PERF_LEGACY_FIRST = 0xC0010000,     // PERF_CTL0..3, PERF_CTR0..3
    AMD_PERF_LEGACY_LAST = 0xC0010007,
    AMD_SYSCFG = 0xC0010010,
    AMD_HWCR = 0xC0010015,
    AMD_NB_CFG = 0xC001001F,
    AMD_INT_PENDING = 0xC0010055,
    AMD_PERF_FIRST = 0xC0010200,            // PERF_CTL0..5 and PERF_CTR0..5
    AMD_PERF_LAST = 0xC001020B,
    AMD_DE_CFG = 0xC0011029,
};

constexpr uint64_t apic_base_enabled = 0xFEE00800;
constexpr uint64_t apic_base_boot_cpu = 0x100;
constexpr uint64_t feature_control_locked = 1;
// Fast strings; no branch trace, no PEBS, no task priority messages.
constexpr uint64_t misc_enable = 1u << 0 | 1u << 11 | 1u << 12 | 1u << 23;
// Write-back, write-through, UC-, UC, write-combining, write-protect, UC, UC: what the core loads.
constexpr uint64_t pat = 0x0000'0501'0007'0406;
constexpr uint64_t efer_own = 0xD01;        // SCE, LME, LMA, NXE: always on, whatever is written
constexpr uint64_t hwcr_tsc_counts_at_p0 = 1u << 24;
constexpr uint64_t de_cfg_lfence_serialises = 1u << 1;
// RDCL_NO, RSBA, SKIP_L1DFL, SSB_NO, MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO,
// PSDP_NO, FB_CLEAR, RRSBA, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO: facts, no controls.
constexpr uint64_t arch_capabilities_facts = 1u << 0 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 8
                                             | 1u << 13 | 1u << 14 | 1u << 15 | 1u << 17 | 1u << 19 | 1u << 20
                                             | 1u << 24 | 1u << 26 | 1u << 27;

bool is_intel() { return policy_vendor() == CpuVendor::intel; }
bool is_amd() { return policy_vendor() == CpuVendor::amd; }

std::optional<uint64_t> on(bool vendor, uint64_t value)
{
    return vendor ? std::optional(value) : std::nullopt;
}

uint64_t apic_base(const Vcpu& vcpu)
{
    return vcpu.number.raw() == 0 ? apic_base_enabled | apic_base_boot_cpu : apic_base_enabled;
}

bool is_amd_counter(uint32_t msr)
{
    return (msr >= AMD_PERF_LEGACY_FIRST && msr <= AMD_PERF_LEGACY_LAST)
           || (msr >= AMD_PERF_FIRST && msr <= AMD_PERF_LAST);
}

std::optional<uint64_t> read_amd(uint32_t msr)
{
    switch (msr) {
    case AMD_HWCR:
        return hwcr_tsc_counts_at_p0;
    case AMD_DE_CFG:
        return de_cfg_lfence_serialises;
    case AMD_SYSCFG:
    case AMD_NB_CFG:
    case AMD_INT_PENDING:
        return 0;
    default:
        // Counters that never count: kernels look for them without asking CPUID.
        return on(is_amd_counter(msr), 0);
    }
}

std::optional<uint64_t> look_up(const Vcpu& vcpu, uint32_t msr)
{
    switch (msr) {
    case IA32_FS_BASE:
        return read_fs_base(vcpu);
    case IA32_GS_BASE:
        return read_gs_base(vcpu);
    case IA32_KERNEL_GS_BASE:
        return read_gs_base_other(vcpu);
    case IA32_TIME_STAMP_COUNTER:
        return machine::read_tsc().raw();
    case IA32_APIC_BASE:
        return apic_base(vcpu);
    case IA32_EFER:
        return efer_own;
    case IA32_PAT:
        return pat;
    case IA32_TSC_AUX:
        return on(policy_offers_tsc_aux(), vcpu.pv.emulation.tsc_aux);
    case IA32_BIOS_SIGN_ID:
        return on(is_intel() || is_amd(), host_msrs.microcode_revision);
    case IA32_ARCH_CAPABILITIES:
        return on(policy_offers_arch_capabilities(), host_msrs.arch_capabilities & arch_capabilities_facts);
    case IA32_FEATURE_CONTROL:
        return on(is_intel(), feature_control_locked);
    case IA32_MISC_ENABLE:
        return on(is_intel(), misc_enable);
    // No CPUID faulting is offered.
    case IA32_PLATFORM_ID:
    case MSR_PLATFORM_INFO:
    case MSR_MISC_FEATURES_ENABLES:
        return on(is_intel(), 0);
    case IA32_MTRRCAP:
    case IA32_MTRR_DEF_TYPE:
    case IA32_MCG_CAP:
    case IA32_MCG_STATUS:
    case IA32_DEBUGCTL:
        return 0;
    default:
        return is_amd() ? read_amd(msr) : std::nullopt;
    }
}

bool write_amd(uint32_t msr)
{
    // Dropped: kernels set bits for errata that are the core's business.
    return msr == AMD_HWCR || msr == AMD_DE_CFG || msr == AMD_SYSCFG || msr == AMD_NB_CFG || is_amd_counter(msr);
}

bool store(Vcpu& vcpu, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case IA32_FS_BASE:
        return write_fs_base(vcpu, value);
    case IA32_GS_BASE:
        return write_gs_base(vcpu, value);
    case IA32_KERNEL_GS_BASE:
        return write_gs_base_other(vcpu, value);
    case IA32_EFER:
        return (value & ~efer_own) == 0;
    case IA32_TSC_AUX:
        if (!policy_offers_tsc_aux() || (value >> 32) != 0)
            return false;
        vcpu.pv.emulation.tsc_aux = value;
        machine::write_tsc_aux(value);
        return true;
    case IA32_APIC_BASE:
        return value == apic_base(vcpu);
    case IA32_PAT:
        return value == pat;
    case IA32_MISC_ENABLE:
        return is_intel() && value == misc_enable;
    // Zero before CPUID asks for the microcode's revision.
    case IA32_BIOS_SIGN_ID:
        return (is_intel() || is_amd()) && value == 0;
    case MSR_MISC_FEATURES_ENABLES:
        return is_intel() && value == 0;
    case IA32_MCG_STATUS:
    case IA32_DEBUGCTL:
        return value == 0;
    default:
        return is_amd() && write_amd(msr);
    }
}

// One line for each register, and few in all, so that a guest cannot fill the log.
[[gnu::cold, gnu::noinline]] void tell_once(Vcpu& vcpu, uint32_t msr, const char* what)
{
    auto& told = vcpu.partition->vcpus[0].pv.emulation.told_msrs;
    const uint64_t mark = uint64_t{1} << 32 | msr;
    for (uint64_t& slot : told) {
        uint64_t seen = 0;
        if (std::atomic_ref(slot).compare_exchange_strong(seen, mark, std::memory_order_relaxed))
            break;
        if (seen == mark || &slot == &told.back())
            return;
    }
    log("%s: vCPU %u %s MSR %#x, which it does not have", vcpu.partition->name(), vcpu.number.raw(), what, msr);
}

}  // namespace

void init_msr_policy(const HostMsrs& host) { host_msrs = host; }

std::optional<uint64_t> read_guest_msr(Vcpu& vcpu, uint32_t msr)
{
    vcpu.pv.emulation.count(Trapped::rdmsr);
    const std::optional<uint64_t> value = look_up(vcpu, msr);
    if (!value.has_value()) [[unlikely]] {
        vcpu.pv.emulation.count(Trapped::rdmsr_unknown);
        tell_once(vcpu, msr, "reads");
    }
    return value;
}

bool write_guest_msr(Vcpu& vcpu, uint32_t msr, uint64_t value)
{
    vcpu.pv.emulation.count(Trapped::wrmsr);
    const bool ok = store(vcpu, msr, value);
    if (!ok) [[unlikely]] {
        vcpu.pv.emulation.count(Trapped::wrmsr_unknown);
        tell_once(vcpu, msr, "writes");
    }
    return ok;
}

}  // namespace bulkhead
