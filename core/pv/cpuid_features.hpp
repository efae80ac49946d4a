// SPDX-License-Identifier: BSD-2-Clause
// The written list: feature bits that PV partitions may see if the CPU has them, word by word, with
// the reason of what is missing. Names are those of xen/include/public/arch-x86/cpufeatureset.h.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace bulkhead::cpuid_features {

constexpr uint32_t bits(std::initializer_list<unsigned> numbers)
{
    uint32_t mask = 0;
    for (unsigned number : numbers)
        mask |= uint32_t{1} << number;
    return mask;
}

// Leaf 1, EDX. Missing: VME (no virtual-8086 mode in 64-bit), PSE, PSE36 and PGE (page tables are
// the core's to judge: no large and no global pages), MCE and MCA (machine checks are the core's),
// MTRR (memory types are the core's), ACPI, TM1, PBE (power is the core's), DS.
inline constexpr uint32_t leaf_1_edx = bits({
    0, 2, 4, 5, 6, 8,           // FPU, DE, TSC, MSR, PAE, CX8
    9,                          // APIC: kernels take its absence for a broken machine
    11,                         // SEP: SYSENTER has a call-back
    15, 16, 19,                 // CMOV, PAT, CLFLUSH
    23, 24, 25, 26, 27,         // MMX, FXSR, SSE, SSE2, SS
});
inline constexpr uint32_t leaf_1_edx_htt = 1u << 28;    // set for partitions with several vCPUs

// Leaf 1, ECX. Missing: MONITOR (a partition would keep its CPU), VMX, SMX, EIST, PCID (CR3 is the
// core's), X2APIC and TSC_DEADLINE (no local APIC is emulated), debug store, performance.
inline constexpr uint32_t leaf_1_ecx = bits({
    0, 1, 9, 12, 13,            // SSE3, PCLMULQDQ, SSSE3, FMA, CX16
    19, 20, 22, 23, 25,         // SSE4_1, SSE4_2, MOVBE, POPCNT, AESNI
    26, 28, 29, 30,             // XSAVE, AVX, F16C, RDRAND
});
inline constexpr uint32_t leaf_1_ecx_osxsave = 1u << 27;    // follows the guest's CR4
inline constexpr uint32_t leaf_1_ecx_hypervisor = 1u << 31;
inline constexpr uint32_t leaf_1_ecx_xsave = 1u << 26;
inline constexpr uint32_t leaf_1_ecx_avx = bits({12, 28, 29});

// Leaf 7.0, EBX. Missing: TSC_ADJUST, SGX, HLE and RTM (transactions leak), SMEP and SMAP (a PV
// kernel is ring 3), INVPCID, MPX, PROC_TRACE, resource control.
inline constexpr uint32_t leaf_7_ebx = bits({
    0, 3, 5, 6, 8, 9,           // FSGSBASE, BMI1, AVX2, FDP_EXCP_ONLY, BMI2, ERMS
    13, 18, 19, 23, 24, 29,     // NO_FPU_SEL, RDSEED, ADX, CLFLUSHOPT, CLWB, SHA
    16, 17, 21, 26, 27, 28, 30, 31,     // AVX512F, DQ, IFMA, PF, ER, CD, BW, VL
});
inline constexpr uint32_t leaf_7_ebx_fsgsbase = 1u << 0;
inline constexpr uint32_t leaf_7_ebx_avx = bits({5});
inline constexpr uint32_t leaf_7_ebx_avx512 = bits({16, 17, 21, 26, 27, 28, 30, 31});

// Leaf 7.0, ECX. Missing: UMIP (the core's own use of it is not undone), PKU (CR4.PKE stays off),
// CET, LA57, bus-lock detection, ENQCMD, MOVDIR* (no use without devices).
inline constexpr uint32_t leaf_7_ecx = bits({
    0, 8, 9, 10, 22, 25,        // PREFETCHWT1, GFNI, VAES, VPCLMULQDQ, RDPID, CLDEMOTE
    1, 6, 11, 12, 14,           // AVX512_VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ
});
inline constexpr uint32_t leaf_7_ecx_rdpid = 1u << 22;
inline constexpr uint32_t leaf_7_ecx_avx = bits({9, 10});
inline constexpr uint32_t leaf_7_ecx_avx512 = bits({1, 6, 11, 12, 14});

// Leaf 7.0, EDX. Missing: IBRSB, STIBP, SSBD and L1D_FLUSH (their registers are the core's), CET,
// AMX (XCR0 does not offer its state), HYBRID, user interrupts.
inline constexpr uint32_t leaf_7_edx = bits({
    4, 10, 14,                  // FSRM, MD_CLEAR (VERW helps a guest against its own users), SERIALIZE
    2, 3, 8, 23,                // AVX512_4VNNIW, 4FMAPS, VP2INTERSECT, FP16
    29,                         // ARCH_CAPS
});
inline constexpr uint32_t leaf_7_edx_arch_capabilities = 1u << 29;
inline constexpr uint32_t leaf_7_edx_avx512 = bits({2, 3, 8, 23});

// Leaf 7.1, EAX. Missing: linear-address masking, supervisor features.
inline constexpr uint32_t leaf_71_eax = bits({4, 5, 10, 11, 12});  // AVX_VNNI, AVX512_BF16, FZRM, FSRS, FSRCS
inline constexpr uint32_t leaf_71_eax_avx = bits({4});
inline constexpr uint32_t leaf_71_eax_avx512 = bits({5});

// Leaf 0xD.1, EAX. Missing: XSAVES (ring 0 only), XFD.
inline constexpr uint32_t leaf_d1_eax = bits({0, 1, 2});    // XSAVEOPT, XSAVEC, XGETBV1
inline constexpr uint32_t leaf_d1_eax_xsavec = bits({1});

// Leaf 0x80000001, ECX. Missing: SVM, EXTAPIC, CR8_LEGACY, OSVW (its registers), IBS, SKINIT, WDT,
// LWP (XCR0), NODEID_MSR, TOPOEXT (topology is what leaf 1 and 0x80000008 say), performance
// counters, DBEXT (its registers are not switched), MONITORX, CMP_LEGACY (set with HTT).
inline constexpr uint32_t extended_1_ecx = bits({
    0, 5, 6, 7, 8,              // LAHF_LM, ABM, SSE4A, MISALIGNSSE, 3DNOWPREFETCH
    11, 16, 21,                 // XOP, FMA4, TBM
});
inline constexpr uint32_t extended_1_ecx_avx = bits({11, 16});

// Leaf 0x80000001, EDX, beside those that repeat leaf 1 on AMD. Missing: FFXSR (EFER is the core's),
// PAGE1GB, MP.
inline constexpr uint32_t extended_1_edx = bits({11, 20, 22, 27, 29, 30, 31});  // SYSCALL, NX, MMXEXT, RDTSCP, LM, 3DNOW
inline constexpr uint32_t extended_1_edx_repeated = leaf_1_edx & 0x0183F3FF;
inline constexpr uint32_t extended_1_edx_rdtscp = 1u << 27;

// Leaf 0x80000007, EDX.
inline constexpr uint32_t extended_7_edx_invariant_tsc = 1u << 8;

// Leaf 0x80000008, EBX. Missing: IBPB, IBRS, STIBP, SSBD (their registers are the core's), WBNOINVD.
inline constexpr uint32_t extended_8_ebx = bits({0, 2, 26, 29});    // CLZERO, RSTR_FP_ERR_PTRS, SSB_NO, BTC_NO

// Leaf 0x80000021, EAX.
inline constexpr uint32_t extended_21_eax = bits({2, 5, 6, 29});    // LFENCE_DISPATCH, VERW_CLEAR, NSCB, SRSO_NO

}  // namespace bulkhead::cpuid_features
