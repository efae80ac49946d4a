// SPDX-License-Identifier: BSD-2-Clause
// See cpuid_policy.hpp. Source: Intel SDM vol 2 and AMD APM vol 3, "CPUID"; Xen's leaves:
// xen/include/public/arch-x86/cpuid.h.
#include "hvm/cpu/cpuid_policy.hpp"

#include "core/partition.hpp"
#include "core/pv/control_bits.hpp"
#include "core/pv/cpuid_features.hpp"
#include "core/pv/cpuid_policy.hpp"
#include "hvm/cpu/hardware_vcpu.hpp"
#include "hvm/cpu/msr_policy.hpp"
#include "machine/fpu.hpp"

extern "C" {
#include <xen/arch-x86/cpuid.h>
}

namespace bulkhead {

namespace {

using cpuid_features::bits;

// Beside what PV kernels may see: what nested paging and the control registers of the guest's own
// bring. Still missing: VME (QEMU and old CPUs differ), MCE, MCA and MTRR (the core's), PCID, INVPCID,
// PKU, CET, LA57 (not switched, or not tested), VMX and SVM (no guests in guests).
constexpr uint32_t extra_1_edx = bits({3, 13, 17});         // PSE, PGE, PSE36
constexpr uint32_t x2apic = bits({21});
constexpr uint32_t tsc_deadline = bits({24});
constexpr uint32_t extra_7_ebx = bits({7, 20});             // SMEP, SMAP
constexpr uint32_t extra_7_ecx = bits({2});                 // UMIP
constexpr uint32_t extra_extended_edx = bits({26});         // PAGE1GB

struct Extras {
    uint32_t leaf_1_edx, leaf_7_ebx, leaf_7_ecx, extended_edx;
};
constinit Extras extras{};

// Not XEN_HVM_CPUID_UPCALL_VECTOR, though HVMOP_set_evtchn_upcall_vector works: kernels that see it
// pay for an end-of-interrupt with each event, which HVM_PARAM_CALLBACK_IRQ does without.
CpuidResult xen_features(const Vcpu& vcpu)
{
    const uint32_t apic = vcpu.hardware->apic.by_page ? 0 : XEN_HVM_CPUID_X2APIC_VIRT;
    return {apic | XEN_HVM_CPUID_VCPU_ID_PRESENT | XEN_HVM_CPUID_DOMID_PRESENT,
            vcpu.number.raw(), vcpu.partition->id.raw(), 0};
}

CpuidResult features_leaf(Vcpu& vcpu)
{
    // OSXSAVE follows the guest's register, as the PV policy has it.
    vcpu.pv.cr4 = vendor().read_cr4(vcpu);
    CpuidResult result = guest_cpuid(vcpu, 1, 0);
    result.edx |= extras.leaf_1_edx;
    result.ecx |= (vcpu.hardware->apic.by_page ? 0 : x2apic) | tsc_deadline;
    return result;
}

[[gnu::noinline]] CpuidResult other_leaf(Vcpu& vcpu, uint32_t leaf, uint32_t subleaf)
{
    constexpr uint32_t leaf_extended_state = 0xD;
    // QEMU 7.2 does not intercept XSETBV.
    if (leaf == leaf_extended_state && machine::fpu_components() != 0)
        vcpu.pv.xcr0 = machine::read_xcr0();
    CpuidResult result = guest_cpuid(vcpu, leaf, subleaf);
    switch (leaf) {
    case 7:
        if (subleaf == 0) {
            result.ebx |= extras.leaf_7_ebx;
            result.ecx |= extras.leaf_7_ecx;
        }
        break;
    case 0x80000001:
        result.edx |= extras.extended_edx & (policy_vendor() == CpuVendor::amd ? ~0u : extra_extended_edx);
        break;
    case XEN_CPUID_FIRST_LEAF + 2:
        result = {1, hypercall_page_msr, 0, 0};
        break;
    case XEN_CPUID_FIRST_LEAF + 4:
        return subleaf == 0 ? xen_features(vcpu) : CpuidResult{};
    case XEN_CPUID_FIRST_LEAF + 5:
        return {};
    default:
        break;
    }
    return result;
}

}  // namespace

void init_hardware_cpuid(CpuidFunction host)
{
    extras.leaf_1_edx = host(1, 0).edx & extra_1_edx;
    if (host(0, 0).eax >= 7) {
        const CpuidResult leaf = host(7, 0);
        extras.leaf_7_ebx = leaf.ebx & extra_7_ebx;
        extras.leaf_7_ecx = leaf.ecx & extra_7_ecx;
    }
    if (host(0x80000000, 0).eax >= 0x80000001)
        extras.extended_edx = host(0x80000001, 0).edx & (extra_extended_edx | extra_1_edx);
}

CpuidResult hardware_cpuid(Vcpu& vcpu, uint32_t leaf, uint32_t subleaf)
{
    return leaf == 1 ? features_leaf(vcpu) : other_leaf(vcpu, leaf, subleaf);
}

unsigned vendor_physical_bits() { return policy_physical_bits(); }

}  // namespace bulkhead
