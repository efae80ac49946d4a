// SPDX-License-Identifier: BSD-2-Clause
// Source: Intel SDM vol 2, "CPUID - CPU Identification"; AMD APM vol 3, appendix E, "Obtaining
// Processor Information Via the CPUID Instruction"; Intel, "CPUID Enumeration and Architectural
// MSRs" (software security guidance).
#include "platform/x86/features.hpp"

#include "platform/x86/msr.hpp"
#include "platform/x86/start_only.hpp"

#include <cstdio>
#include <cstring>

namespace bulkhead {

namespace {

constinit Features the_features{};

constexpr bool bit(uint64_t value, unsigned number) { return ((value >> number) & 1) != 0; }

// Bits of IA32_ARCH_CAPABILITIES. Source: Intel SDM vol 4, "Architectural MSRs".
enum ArchCapability : unsigned { rdcl_no = 0, ibrs_all = 1, skip_l1dfl_vmentry = 3, ssb_no = 4, mds_no = 5, taa_no = 8 };

struct Decoder {
    CpuidFunction cpuid_of;
    ReadMsrFunction msr_of;
    Features& f;
    uint32_t max_leaf{};
    uint32_t max_extended{};

    CpuidResult leaf(uint32_t number, uint32_t subleaf = 0) const
    {
        const uint32_t max = number >= 0x8000'0000 ? max_extended : max_leaf;
        return number <= max ? cpuid_of(number, subleaf) : CpuidResult{};
    }

    void identity();
    void brand();
    void basic();
    void structured();
    void extended();
    void xsave();
    void virtualisation();
    void leaks();
};

void copy_register(char* to, uint32_t value) { memcpy(to, &value, sizeof(value)); }

START_ONLY void Decoder::identity()
{
    const CpuidResult zero = cpuid_of(0, 0);
    max_leaf = zero.eax;
    max_extended = cpuid_of(0x8000'0000, 0).eax;
    if (max_extended < 0x8000'0000)
        max_extended = 0;
    copy_register(&f.vendor_name[0], zero.ebx);
    copy_register(&f.vendor_name[4], zero.edx);
    copy_register(&f.vendor_name[8], zero.ecx);
    if (strcmp(f.vendor_name.data(), "GenuineIntel") == 0)
        f.vendor = CpuVendor::intel;
    else if (strcmp(f.vendor_name.data(), "AuthenticAMD") == 0 || strcmp(f.vendor_name.data(), "HygonGenuine") == 0)
        f.vendor = CpuVendor::amd;

    const uint32_t signature = leaf(1).eax;
    f.stepping = signature & 0xF;
    f.model = (signature >> 4) & 0xF;
    f.family = (signature >> 8) & 0xF;
    if (f.family == 6 || f.family == 15)
        f.model |= ((signature >> 16) & 0xF) << 4;
    if (f.family == 15)
        f.family += (signature >> 20) & 0xFF;
}

START_ONLY void Decoder::brand()
{
    std::array<char, 48> raw{};
    for (uint32_t i = 0; i < 3 && max_extended >= 0x8000'0004; ++i) {
        const CpuidResult part = leaf(0x8000'0002 + i);
        copy_register(&raw[i * 16], part.eax);
        copy_register(&raw[i * 16 + 4], part.ebx);
        copy_register(&raw[i * 16 + 8], part.ecx);
        copy_register(&raw[i * 16 + 12], part.edx);
    }
    size_t length = 0;
    for (const char c : raw) {
        if (c == '\0')
            break;
        const bool printable = c >= ' ' && c <= '~';
        if (!printable || (c == ' ' && (length == 0 || f.brand[length - 1] == ' ')))
            continue;
        f.brand[length++] = c;
    }
    while (length > 0 && f.brand[length - 1] == ' ')
        f.brand[--length] = '\0';
}

START_ONLY void Decoder::basic()
{
    const CpuidResult one = leaf(1);
    f.tsc = bit(one.edx, 4);
    f.msrs = bit(one.edx, 5);
    f.local_apic = bit(one.edx, 9);
    f.global_pages = bit(one.edx, 13);
    f.pat = bit(one.edx, 16);
    f.sse2 = bit(one.edx, 24) && bit(one.edx, 26);
    f.pcid = bit(one.ecx, 17);
    f.x2apic = bit(one.ecx, 21);
    f.tsc_deadline = bit(one.ecx, 24);
    f.xsave = bit(one.ecx, 26);
    f.hypervisor = bit(one.ecx, 31);
    f.apic_always_running = bit(leaf(6).eax, 2);

    // TSC ticks = crystal * ebx / eax. Source: Intel SDM vol 3, "Determining the Processor Base
    // Frequency".
    const CpuidResult clock = leaf(0x15);
    if (clock.eax != 0 && clock.ebx != 0 && clock.ecx != 0)
        f.tsc_khz_by_cpuid = static_cast<uint32_t>(uint64_t{clock.ecx} * clock.ebx / clock.eax / 1000);
}

START_ONLY void Decoder::structured()
{
    const CpuidResult seven = leaf(7);
    f.fsgsbase = bit(seven.ebx, 0);
    f.smep = bit(seven.ebx, 7);
    f.invpcid = bit(seven.ebx, 10);
    f.smap = bit(seven.ebx, 20);
    f.umip = bit(seven.ecx, 2);
    f.has_md_clear = bit(seven.edx, 10);
    f.has_ibrs = f.has_ibpb = bit(seven.edx, 26);
    f.has_stibp = bit(seven.edx, 27);
    f.has_l1d_flush = bit(seven.edx, 28);
    f.has_ssbd = bit(seven.edx, 31);
    if (bit(seven.edx, 29))
        f.arch_capabilities = msr_of(static_cast<uint32_t>(Msr::IA32_ARCH_CAPABILITIES));
    f.has_enhanced_ibrs = f.has_ibrs && bit(f.arch_capabilities, ibrs_all);
}

START_ONLY void Decoder::extended()
{
    const CpuidResult one = leaf(0x8000'0001);
    f.syscall = bit(one.edx, 11);
    f.nx = bit(one.edx, 20);
    f.pages_1g = bit(one.edx, 26);
    f.rdtscp = bit(one.edx, 27);
    // 32-bit SYSCALL exists on AMD CPUs only.
    f.syscall32 = f.vendor == CpuVendor::amd && bit(one.edx, 11);
    f.invariant_tsc = bit(leaf(0x8000'0007).edx, 8);
    const CpuidResult sizes = leaf(0x8000'0008);
    f.physical_bits = (sizes.eax & 0xFF) != 0 ? sizes.eax & 0xFF : 36;
    if (f.vendor == CpuVendor::amd) {
        f.has_ibpb = bit(sizes.ebx, 12);
        f.has_ibrs = bit(sizes.ebx, 14);
        f.has_stibp = bit(sizes.ebx, 15);
        f.has_ssbd = bit(sizes.ebx, 24);
        f.has_automatic_ibrs = bit(leaf(0x8000'0021).eax, 8);
    }
}

START_ONLY void Decoder::xsave()
{
    if (!f.xsave)
        return;
    const CpuidResult sizes = leaf(0xD);
    const CpuidResult forms = leaf(0xD, 1);
    f.xsave_components = (uint64_t{sizes.edx} << 32) | sizes.eax;
    f.xsave_bytes = sizes.ecx;
    f.xsaveopt = bit(forms.eax, 0);
    f.xsavec = bit(forms.eax, 1);
}

// Source: Intel SDM vol 3, "Enabling and Entering VMX Operation"; AMD APM vol 2, "Enabling SVM".
START_ONLY void Decoder::virtualisation()
{
    constexpr uint64_t control_locked = 1;
    constexpr uint64_t control_vmx_outside_smx = 4;
    constexpr uint64_t vm_cr_svmdis = 0x10;
    constexpr uint32_t msr_procbased_ctls = 0x482;
    constexpr uint32_t msr_procbased_ctls2 = 0x48B;

    if (bit(leaf(1).ecx, 5)) {
        const uint64_t control = msr_of(static_cast<uint32_t>(Msr::IA32_FEATURE_CONTROL));
        const bool secondary = bit(msr_of(msr_procbased_ctls), 63);
        const uint64_t offered = secondary ? msr_of(msr_procbased_ctls2) : 0;
        if ((control & control_locked) != 0 && (control & control_vmx_outside_smx) == 0)
            f.vtx = Virtualisation::locked_by_firmware;
        else
            f.vtx = !bit(offered, 33)   ? Virtualisation::without_nested_paging
                    : !bit(offered, 39) ? Virtualisation::without_unrestricted_guest
                                        : Virtualisation::available;
    }
    if (bit(leaf(0x8000'0001).ecx, 2)) {
        if ((msr_of(static_cast<uint32_t>(Msr::VM_CR)) & vm_cr_svmdis) != 0)
            f.svm = Virtualisation::locked_by_firmware;
        else
            f.svm = bit(leaf(0x8000'000A).edx, 0) ? Virtualisation::available
                                                   : Virtualisation::without_nested_paging;
        f.svm_avic = f.svm == Virtualisation::available && bit(leaf(0x8000'000A).edx, 13);
    }
}

// Without a word from the CPU an Intel one counts as leaking: that is what the old ones do.
START_ONLY void Decoder::leaks()
{
    const bool intel = f.vendor == CpuVendor::intel;
    const bool known_safe = f.vendor == CpuVendor::amd;
    f.leaks_meltdown = intel && !bit(f.arch_capabilities, rdcl_no);
    f.leaks_l1tf = f.leaks_meltdown;
    f.leaks_mds = intel && !bit(f.arch_capabilities, mds_no);
    f.leaks_taa = intel && bit(leaf(7).ebx, 11) && !bit(f.arch_capabilities, taa_no);
    f.leaks_ssb = !bit(f.arch_capabilities, ssb_no);
    if (known_safe && bit(leaf(0x8000'0008).ebx, 26))   // SsbdNotRequired
        f.leaks_ssb = false;
}

const char* state_of(Virtualisation state)
{
    switch (state) {
    case Virtualisation::absent: return "absent";
    case Virtualisation::locked_by_firmware: return "off, enable it in the firmware's setup";
    case Virtualisation::without_nested_paging: return "without nested paging";
    case Virtualisation::without_unrestricted_guest: return "without unrestricted guest";
    case Virtualisation::available: return "available";
    }
    return "unknown";
}

CpuidResult cpuid_instruction(uint32_t leaf, uint32_t subleaf) { return cpuid(leaf, subleaf); }
uint64_t rdmsr_instruction(uint32_t msr) { return read_msr(static_cast<Msr>(msr)); }

}  // namespace

START_ONLY Features decode_features(CpuidFunction cpuid_of, ReadMsrFunction msr_of)
{
    Features f{};
    Decoder decoder{cpuid_of, msr_of, f};
    decoder.identity();
    decoder.brand();
    decoder.basic();
    decoder.structured();
    decoder.extended();
    decoder.xsave();
    decoder.virtualisation();
    decoder.leaks();
    return f;
}

void init_features() { the_features = decode_features(cpuid_instruction, rdmsr_instruction); }

// A CPU has nearly all of these together with 64-bit mode; emulators and firmware can take them away.
START_ONLY const char* missing_feature(const Features& f)
{
    if (!f.local_apic)
        return "no local APIC, or the firmware has it off";
    if (!f.tsc || !f.msrs)
        return "no time-stamp counter or no model-specific registers";
    if (!f.sse2)
        return "no FXSAVE or SSE2";
    if (!f.pat)
        return "no page attribute table";
    if (!f.syscall)
        return "no SYSCALL";
    return nullptr;
}

void note_iommu(bool intel, bool amd)
{
    the_features.iommu_intel = intel;
    the_features.iommu_amd = amd;
}

const Features& features() { return the_features; }

int describe_cpu(const Features& f, char* to, size_t bytes)
{
    return snprintf(to, bytes, "%s, family %u model %u stepping %u%s",
                    f.brand[0] != '\0' ? f.brand.data() : f.vendor_name.data(), f.family, f.model, f.stepping,
                    f.hypervisor ? " (emulated or under a hypervisor)" : "");
}

int describe_virtualisation(const Features& f, char* to, size_t bytes)
{
    const char* iommu = f.iommu_intel ? "VT-d" : f.iommu_amd ? "AMD-Vi" : "none";
    return snprintf(to, bytes, "VT-x with EPT: %s; AMD-V with NPT: %s%s; IOMMU: %s", state_of(f.vtx),
                    state_of(f.svm), f.svm_avic ? " (AVIC: there, not used)" : "", iommu);
}

int describe_leaks(const Features& f, char* to, size_t bytes)
{
    if (!f.leaks_meltdown && !f.leaks_l1tf && !f.leaks_mds && !f.leaks_taa && !f.leaks_ssb)
        return snprintf(to, bytes, "the CPU says that it leaks nothing known");
    return snprintf(to, bytes, "the CPU may leak by:%s%s%s%s%s", f.leaks_meltdown ? " Meltdown" : "",
                    f.leaks_l1tf ? " L1TF" : "", f.leaks_mds ? " MDS" : "", f.leaks_taa ? " TAA" : "",
                    f.leaks_ssb ? " speculative-store-bypass" : "");
}

}  // namespace bulkhead
