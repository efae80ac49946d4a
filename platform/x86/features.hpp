// SPDX-License-Identifier: BSD-2-Clause
// What the CPU and the chipset offer, read once at start from the boot CPU; constant afterwards.
// Decoding takes CPUID and MSRs through functions, so that it runs on the host against tables.
#pragma once

#include "platform/x86/cpuid.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace bulkhead {

enum class CpuVendor : uint8_t { other, intel, amd };
enum class Virtualisation : uint8_t {
    absent, locked_by_firmware, without_nested_paging, without_unrestricted_guest, available
};

struct Features {
    CpuVendor vendor;
    std::array<char, 13> vendor_name;
    std::array<char, 49> brand;             // without leading and doubled blanks
    uint32_t family, model, stepping;
    bool hypervisor;                        // runs in an emulator or under another hypervisor

    bool nx, pages_1g, pcid, invpcid, global_pages;
    bool smep, smap, umip, fsgsbase, syscall32;
    bool x2apic, tsc_deadline, invariant_tsc, rdtscp, apic_always_running;
    bool tsc, msrs, local_apic, sse2, pat, syscall;     // what the core needs: see missing_feature()
    uint32_t physical_bits;                 // width of host-physical addresses
    uint32_t tsc_khz_by_cpuid;              // leaf 0x15 with a crystal frequency; 0: not told

    bool xsave, xsaveopt, xsavec;
    uint64_t xsave_components;              // what XCR0 may hold
    uint32_t xsave_bytes;                   // area for all of them

    Virtualisation vtx;                     // with EPT
    Virtualisation svm;                     // with nested paging
    bool svm_avic;                          // a local APIC of the CPU's own, which nothing here uses
    bool iommu_intel, iommu_amd;            // the firmware's tables describe one (set from ACPI)

    // What the CPU leaks, as far as it tells. True if it does not say that it is safe.
    bool leaks_meltdown, leaks_l1tf, leaks_mds, leaks_ssb, leaks_taa;
    bool has_ibpb, has_enhanced_ibrs, has_automatic_ibrs;
    bool has_ibrs, has_stibp, has_ssbd, has_md_clear, has_l1d_flush;
    uint64_t arch_capabilities;
};

using CpuidFunction = CpuidResult (*)(uint32_t leaf, uint32_t subleaf);
using ReadMsrFunction = uint64_t (*)(uint32_t msr);

// Reads nothing that CPUID does not announce.
Features decode_features(CpuidFunction cpuid_of, ReadMsrFunction msr_of);

// Once, on the boot CPU, before anything else asks.
void init_features();
// What the core cannot do without and this CPU lacks, as the end of a sentence; null: nothing.
[[nodiscard]] const char* missing_feature(const Features& features);
// Facts that only ACPI's tables tell.
void note_iommu(bool intel, bool amd);
[[nodiscard]] const Features& features();

// One sentence for the banner: CPU model, and what it offers for hardware guests. Returns the length
// that snprintf would.
int describe_cpu(const Features& features, char* to, size_t bytes);
int describe_virtualisation(const Features& features, char* to, size_t bytes);
int describe_leaks(const Features& features, char* to, size_t bytes);

}  // namespace bulkhead
