// SPDX-License-Identifier: BSD-2-Clause
// Source: xen/include/public/arch-x86/cpuid.h.
#include "core/pv/xen_leaves.hpp"

#include "core/pv/cpuid_policy.hpp"
#include "machine/clock.hpp"

extern "C" {
#include <xen/arch-x86/cpuid.h>
}

namespace bulkhead {

namespace {

constexpr uint32_t abi_version = 4 << 16 | 17;
// Where a kernel would find the hypercall-page register, which PV kernels do not use.
constexpr uint32_t first_xen_msr = 0x40000000;
constexpr uint32_t tsc_never_emulated = 2;

CpuidResult time_leaf(uint32_t subleaf)
{
    const auto khz = static_cast<uint32_t>(machine::tsc_hz() / 1000);
    const machine::ClockScale& scale = machine::clock_scale();
    switch (subleaf) {
    case 0: {
        const uint32_t reliable = scale.stable ? 2 : 0;
        const uint32_t rdtscp = policy_offers_tsc_aux() ? 4 : 0;
        return {reliable | rdtscp, tsc_never_emulated, khz, 0};
    }
    case 1:
        return {0, 0, scale.multiplier, static_cast<uint32_t>(scale.shift)};
    case 2:
        return {khz, 0, 0, 0};
    default:
        return {};
    }
}

// Frame numbers that a partition may meet have as many bits as the CPU has physical ones.
CpuidResult pv_leaf(uint32_t subleaf)
{
    if (subleaf != 0)
        return {};
    return {0, policy_physical_bits(), 0, 0};
}

}  // namespace

CpuidResult xen_leaf(uint32_t leaf, uint32_t subleaf)
{
    switch (leaf - XEN_CPUID_FIRST_LEAF) {
    case 0:
        return {XEN_CPUID_FIRST_LEAF + XEN_CPUID_MAX_NUM_LEAVES, XEN_CPUID_SIGNATURE_EBX, XEN_CPUID_SIGNATURE_ECX,
                XEN_CPUID_SIGNATURE_EDX};
    case 1:
        return {abi_version, 0, 0, 0};
    case 2:
        return {1, first_xen_msr, XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD, 0};
    case 3:
        return time_leaf(subleaf);
    case 5:
        return pv_leaf(subleaf);
    default:
        return {};      // 4 is for hardware guests
    }
}

}  // namespace bulkhead
