// SPDX-License-Identifier: BSD-2-Clause
// Source: Intel SDM vol 2, "CPUID - CPU Identification"; AMD APM vol 3, "Obtaining Processor
// Information Via the CPUID Instruction".
#include "core/pv/cpuid_policy.hpp"

#include "core/partition.hpp"
#include "core/pv/control_bits.hpp"
#include "core/pv/cpuid_features.hpp"
#include "core/pv/xen_leaves.hpp"
#include "machine/fpu.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace bulkhead {

namespace {

constexpr uint32_t last_basic = 0xD;
constexpr uint32_t first_extended = 0x80000000;
constexpr uint32_t extended_count = 0x22;
constexpr uint32_t xsave_leaf = 0xD;
constexpr uint32_t cache_leaves = 8;
constexpr uint32_t state_components = 10;
constexpr uint32_t legacy_area_bytes = 512;
constexpr uint32_t header_bytes = 64;
constexpr uint64_t xcr0_avx = 0x4;
constexpr uint64_t xcr0_avx512 = 0xE0;

struct Policy {
    CpuVendor vendor;
    uint64_t xcr0;
    std::array<CpuidResult, last_basic + 1> basic;
    std::array<CpuidResult, 2> features;            // leaf 7, by subleaf
    std::array<CpuidResult, cache_leaves> caches;   // leaf 4, by subleaf; all zero ends the list
    std::array<CpuidResult, state_components> states;  // leaf 0xD, by subleaf, from 2 on
    std::array<CpuidResult, extended_count> extended;
};

constinit Policy policy = {};

CpuVendor vendor_of(const CpuidResult& leaf_0)
{
    if (leaf_0.ebx == 0x756E'6547)      // "Genu"
        return CpuVendor::intel;
    if (leaf_0.ebx == 0x6874'7541 || leaf_0.ebx == 0x6F67'7948)     // "Auth", "Hygo"
        return CpuVendor::amd;
    return CpuVendor::other;
}

void keep_basic(CpuidFunction host)
{
    using namespace cpuid_features;
    auto& basic = policy.basic;
    basic[0] = host(0, 0);
    const uint32_t host_last = basic[0].eax;
    basic[0].eax = std::min(host_last, policy.xcr0 != 0 ? last_basic : 7);
    basic[1] = host(1, 0);
    basic[1].ebx &= 0xFFFF;             // brand and CLFLUSH size; the rest is each vCPU's
    basic[1].ecx &= leaf_1_ecx;
    basic[1].ecx |= leaf_1_ecx_hypervisor;
    basic[1].edx &= leaf_1_edx;
    if (policy.vendor != CpuVendor::intel)
        return;
    if (host_last >= 2)
        basic[2] = host(2, 0);
    for (uint32_t i = 0; i < cache_leaves && host_last >= 4; ++i) {
        policy.caches[i] = host(4, i);
        if ((policy.caches[i].eax & 0x1F) == 0) {
            policy.caches[i] = {};
            return;
        }
    }
}

void keep_features(CpuidFunction host)
{
    using namespace cpuid_features;
    if (host(0, 0).eax < 7)
        return;
    const CpuidResult offered = host(7, 0);
    CpuidResult& kept = policy.features[0];
    kept.eax = std::min(offered.eax, 1u);
    kept.ebx = offered.ebx & leaf_7_ebx;
    kept.ecx = offered.ecx & leaf_7_ecx;
    kept.edx = offered.edx & leaf_7_edx;
    if (offered.eax >= 1)
        policy.features[1].eax = host(7, 1).eax & leaf_71_eax;
}

void keep_extended(CpuidFunction host, bool stable_clock)
{
    using namespace cpuid_features;
    const uint32_t host_last = host(first_extended, 0).eax;
    if (host_last < first_extended + 8)
        return;
    const bool amd = policy.vendor == CpuVendor::amd;
    const uint32_t last = std::min(host_last, first_extended + (amd ? extended_count - 1 : 8));
    const auto pass = [&](uint32_t index) {
        if (first_extended + index <= last)
            policy.extended[index] = host(first_extended + index, 0);
    };
    auto& extended = policy.extended;
    for (uint32_t index : {0u, 1u, 2u, 3u, 4u, 5u, 6u, 0x19u, 0x1Au})
        pass(index);
    extended[0].eax = last;
    extended[1].ebx = 0;
    extended[1].ecx &= extended_1_ecx;
    extended[1].edx &= extended_1_edx | (amd ? extended_1_edx_repeated : 0);
    if (stable_clock)
        extended[7].edx = host(first_extended + 7, 0).edx & extended_7_edx_invariant_tsc;
    const CpuidResult sizes = host(first_extended + 8, 0);
    extended[8].eax = std::min(sizes.eax & 0xFF, 52u) | (48u << 8);
    extended[8].ebx = sizes.ebx & extended_8_ebx;
    if (last >= first_extended + 0x21)
        extended[0x21].eax = host(first_extended + 0x21, 0).eax & extended_21_eax;
}

// Instruction sets whose registers XCR0 cannot switch on, and XSAVE itself.
void match_features_to_xcr0()
{
    using namespace cpuid_features;
    if (policy.xcr0 == 0)
        policy.basic[1].ecx &= ~leaf_1_ecx_xsave;
    if ((policy.xcr0 & xcr0_avx) == 0) {
        policy.basic[1].ecx &= ~leaf_1_ecx_avx;
        policy.features[0].ebx &= ~leaf_7_ebx_avx;
        policy.features[0].ecx &= ~leaf_7_ecx_avx;
        policy.features[1].eax &= ~leaf_71_eax_avx;
        policy.extended[1].ecx &= ~extended_1_ecx_avx;
    }
    if ((policy.xcr0 & xcr0_avx512) != xcr0_avx512) {
        policy.features[0].ebx &= ~leaf_7_ebx_avx512;
        policy.features[0].ecx &= ~leaf_7_ecx_avx512;
        policy.features[0].edx &= ~leaf_7_edx_avx512;
        policy.features[1].eax &= ~leaf_71_eax_avx512;
    }
}

bool is_offered(uint64_t components, uint32_t component)
{
    return ((components >> component) & 1) != 0;
}

void keep_states(CpuidFunction host)
{
    if (policy.xcr0 == 0)
        return;
    policy.basic[xsave_leaf].eax = static_cast<uint32_t>(policy.xcr0);
    policy.basic[xsave_leaf].edx = static_cast<uint32_t>(policy.xcr0 >> 32);
    policy.states[1].eax = host(xsave_leaf, 1).eax & cpuid_features::leaf_d1_eax;
    if (!machine::packs_fpu_soundly())
        policy.states[1].eax &= ~cpuid_features::leaf_d1_eax_xsavec;
    for (uint32_t i = 2; i < state_components; ++i) {
        if (is_offered(policy.xcr0, i))
            policy.states[i] = host(xsave_leaf, i);
    }
}

// Bytes of an XSAVE area that holds these components at their fixed places.
uint32_t area_bytes(uint64_t components)
{
    uint32_t bytes = legacy_area_bytes + header_bytes;
    for (uint32_t i = 2; i < state_components; ++i) {
        if (is_offered(components, i))
            bytes = std::max(bytes, policy.states[i].ebx + policy.states[i].eax);
    }
    return bytes;
}

// The same packed, as XSAVEC does.
uint32_t compact_area_bytes(uint64_t components)
{
    constexpr uint32_t aligned = 2;
    uint32_t bytes = legacy_area_bytes + header_bytes;
    for (uint32_t i = 2; i < state_components; ++i) {
        if (!is_offered(components, i))
            continue;
        if ((policy.states[i].ecx & aligned) != 0)
            bytes = (bytes + 63) & ~63u;
        bytes += policy.states[i].eax;
    }
    return bytes;
}

// APIC ids are 2 * n, as on Xen: all vCPUs are cores of one package, none is another's thread. This
// is how many ids the package has.
uint32_t package_ids(const Vcpu& vcpu)
{
    const auto count = static_cast<uint32_t>(vcpu.partition->vcpus.size());
    return count <= 1 ? 1 : 2 * std::bit_ceil(count);
}

CpuidResult identity_leaf(const Vcpu& vcpu)
{
    CpuidResult leaf = policy.basic[1];
    const uint32_t ids = package_ids(vcpu);
    leaf.ebx |= ids << 16 | uint32_t{vcpu.number.raw()} * 2 << 24;
    if (ids > 1)
        leaf.edx |= cpuid_features::leaf_1_edx_htt;
    if ((vcpu.pv.cr4 & cr4::osxsave) != 0)
        leaf.ecx |= cpuid_features::leaf_1_ecx_osxsave;
    return leaf;
}

CpuidResult cache_leaf(const Vcpu& vcpu, uint32_t subleaf)
{
    if (subleaf >= cache_leaves || policy.caches[subleaf].eax == 0)
        return {};
    CpuidResult leaf = policy.caches[subleaf];
    const uint32_t ids = package_ids(vcpu) - 1;
    const uint32_t level = (leaf.eax >> 5) & 7;
    leaf.eax = (leaf.eax & 0x3FFF) | (level >= 3 ? ids : 0) << 14 | ids << 26;
    return leaf;
}

CpuidResult state_leaf(const Vcpu& vcpu, uint32_t subleaf)
{
    if (policy.xcr0 == 0 || subleaf >= state_components)
        return {};
    CpuidResult leaf = subleaf == 0 ? policy.basic[xsave_leaf] : policy.states[subleaf];
    if (subleaf == 0) {
        leaf.ebx = area_bytes(vcpu.pv.xcr0);
        leaf.ecx = area_bytes(policy.xcr0);
    } else if (subleaf == 1 && leaf.eax != 0) {
        leaf.ebx = compact_area_bytes(vcpu.pv.xcr0);
    }
    return leaf;
}

CpuidResult basic_leaf(const Vcpu& vcpu, uint32_t leaf, uint32_t subleaf)
{
    switch (leaf) {
    case 1:
        return identity_leaf(vcpu);
    case 4:
        return cache_leaf(vcpu, subleaf);
    case 7:
        return subleaf < policy.features.size() ? policy.features[subleaf] : CpuidResult{};
    case xsave_leaf:
        return state_leaf(vcpu, subleaf);
    default:
        return policy.basic[leaf];
    }
}

CpuidResult extended_leaf(const Vcpu& vcpu, uint32_t index)
{
    CpuidResult leaf = policy.extended[index];
    if (policy.vendor != CpuVendor::amd)
        return leaf;
    constexpr uint32_t cmp_legacy = 2;
    const uint32_t ids = package_ids(vcpu);
    if (index == 1 && ids > 1)
        leaf.ecx |= cmp_legacy;
    if (index == 8)
        leaf.ecx = static_cast<uint32_t>(std::countr_zero(ids)) << 12 | (ids - 1);
    return leaf;
}

}  // namespace

void init_cpuid_policy(CpuidFunction host, uint64_t xcr0, bool stable_clock)
{
    policy = {};
    policy.vendor = vendor_of(host(0, 0));
    policy.xcr0 = (host(1, 0).ecx & cpuid_features::leaf_1_ecx_xsave) != 0 ? xcr0 : 0;
    keep_basic(host);
    keep_features(host);
    keep_extended(host, stable_clock);
    keep_states(host);
    match_features_to_xcr0();
}

CpuidResult guest_cpuid(const Vcpu& vcpu, uint32_t leaf, uint32_t subleaf)
{
    if (leaf <= last_basic) {
        // Beyond the last leaf, nothing: AMD's way. Intel's repeats the last one, which helps nobody.
        return leaf <= policy.basic[0].eax ? basic_leaf(vcpu, leaf, subleaf) : CpuidResult{};
    }
    if (leaf - first_extended < extended_count)
        return extended_leaf(vcpu, leaf - first_extended);
    return xen_leaf(leaf, subleaf);
}

uint64_t policy_xcr0() { return policy.xcr0; }
uint32_t policy_physical_bits() { return policy.extended[8].eax & 0xFF; }
CpuVendor policy_vendor() { return policy.vendor; }

bool policy_offers_tsc_aux()
{
    return (policy.extended[1].edx & cpuid_features::extended_1_edx_rdtscp) != 0
           || (policy.features[0].ecx & cpuid_features::leaf_7_ecx_rdpid) != 0;
}

bool policy_offers_fsgsbase()
{
    return (policy.features[0].ebx & cpuid_features::leaf_7_ebx_fsgsbase) != 0;
}

bool policy_offers_arch_capabilities()
{
    return (policy.features[0].edx & cpuid_features::leaf_7_edx_arch_capabilities) != 0;
}

}  // namespace bulkhead
