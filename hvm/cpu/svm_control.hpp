// SPDX-License-Identifier: BSD-2-Clause
// The virtual machine control block. Source: AMD APM vol 2, appendix B, "VMCB Layout", and appendix C,
// "SVM Intercept Exit Codes".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bulkhead::svm {

struct Segment {
    uint16_t selector;
    uint16_t attributes;            // descriptor bits 40-47 and 52-55
    uint32_t limit;
    uint64_t base;
};

enum class NmiState : uint8_t { open, blocked, after_instruction };

// The core's own, in bytes that the CPU leaves to hypervisors. Source: appendix B, "Reserved for host usage".
struct OwnState {
    uint64_t rip, rsp;              // after_instruction: where that instruction is
    NmiState nmi;
    bool wanted;                    // an NMI waits for that
    bool stepping;                  // so the guest has been entered with the trap flag,
    bool guest_trap;                // which it had set itself,
    bool flag_set;                  // or which is to go again if it has not come to that instruction
    bool long_mode_enabled;         // EFER.LME as the guest has it
    bool machine_check;             // CR4.MCE as the guest has it
    std::array<uint8_t, 9> unused;
};
static_assert(sizeof(OwnState) == 0x20);

struct [[gnu::packed, gnu::aligned(4096)]] Vmcb {
    uint16_t intercept_cr_read, intercept_cr_write, intercept_dr_read, intercept_dr_write;
    uint32_t intercept_exceptions;
    uint32_t intercepts_1, intercepts_2, intercepts_3;
    std::array<uint8_t, 0x24> reserved_0;
    uint16_t pause_threshold, pause_count;
    uint64_t port_map, msr_map;
    uint64_t tsc_offset;
    uint32_t asid;
    uint8_t tlb_control;
    std::array<uint8_t, 3> reserved_1;
    uint64_t virtual_interrupt;
    uint64_t interrupt_shadow;
    uint64_t exit_code, exit_info_1, exit_info_2, exit_interrupt;
    uint64_t nested_control;
    std::array<uint8_t, 0x10> reserved_2;
    uint64_t injection;
    uint64_t nested_root;
    uint64_t branch_records;
    uint32_t clean;
    uint32_t reserved_3;
    uint64_t next_rip;
    uint8_t fetched_bytes;
    std::array<uint8_t, 15> fetched_code;
    std::array<uint8_t, 0x3E0 - 0xE0> reserved_4;
    OwnState own;
    Segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    std::array<uint8_t, 0x2B> reserved_5;
    uint8_t cpl;
    uint32_t reserved_6;
    uint64_t efer;
    std::array<uint8_t, 0x70> reserved_7;
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    std::array<uint8_t, 0x58> reserved_8;
    uint64_t rsp;
    std::array<uint8_t, 0x18> reserved_9;
    uint64_t rax;
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip, cr2;
    std::array<uint8_t, 0x20> reserved_10;
    uint64_t pat;
    std::array<uint8_t, 0x1000 - 0x670> reserved_11;
};
static_assert(sizeof(Vmcb) == 0x1000);
static_assert(offsetof(Vmcb, pause_threshold) == 0x3C && offsetof(Vmcb, port_map) == 0x40);
static_assert(offsetof(Vmcb, asid) == 0x58 && offsetof(Vmcb, exit_code) == 0x70);
static_assert(offsetof(Vmcb, nested_control) == 0x90 && offsetof(Vmcb, injection) == 0xA8);
static_assert(offsetof(Vmcb, own) == 0x3E0);
static_assert(offsetof(Vmcb, clean) == 0xC0 && offsetof(Vmcb, next_rip) == 0xC8);
static_assert(offsetof(Vmcb, es) == 0x400 && offsetof(Vmcb, cpl) == 0x4CB && offsetof(Vmcb, efer) == 0x4D0);
static_assert(offsetof(Vmcb, cr4) == 0x548 && offsetof(Vmcb, rip) == 0x578 && offsetof(Vmcb, rsp) == 0x5D8);
static_assert(offsetof(Vmcb, rax) == 0x5F8 && offsetof(Vmcb, cr2) == 0x640 && offsetof(Vmcb, pat) == 0x668);

enum Intercept1 : uint32_t {
    intercept_interrupt = 1u << 0,
    intercept_nmi = 1u << 1,
    intercept_init = 1u << 3,
    intercept_window = 1u << 4,
    intercept_rdpmc = 1u << 15,
    intercept_cpuid = 1u << 18,
    intercept_rsm = 1u << 19,
    intercept_iret = 1u << 20,
    intercept_invd = 1u << 22,
    intercept_halt = 1u << 24,
    intercept_invlpga = 1u << 26,
    intercept_port = 1u << 27,
    intercept_msr = 1u << 28,
    intercept_shutdown = 1u << 31,
};
enum Intercept2 : uint32_t {
    intercept_vmrun = 1u << 0,
    intercept_vmmcall = 1u << 1,
    intercept_vmload = 1u << 2,
    intercept_vmsave = 1u << 3,
    intercept_stgi = 1u << 4,
    intercept_clgi = 1u << 5,
    intercept_skinit = 1u << 6,
    intercept_wbinvd = 1u << 9,
    intercept_monitor = 1u << 10,
    intercept_mwait = 1u << 11,
    intercept_xsetbv = 1u << 13,
};

inline constexpr uint64_t efer_lme = 0x100, efer_lma = 0x400, efer_svme = 0x1000;

// intercept_cr_read, intercept_cr_write
inline constexpr uint16_t read_of_cr4 = 1u << 4;
inline constexpr uint16_t write_of_cr4 = 1u << 4, write_of_cr8 = 1u << 8;

enum ExitCode : uint64_t {
    exit_read_of_cr4 = 0x04,
    exit_write_of_cr4 = 0x14,
    exit_write_of_cr8 = 0x18,
    exit_exception = 0x40,          // and 31 more
    exit_interrupt = 0x60,
    exit_nmi = 0x61,
    exit_init = 0x63,
    exit_window = 0x64,
    exit_rdpmc = 0x6F,
    exit_cpuid = 0x72,
    exit_rsm = 0x73,
    exit_iret = 0x74,
    exit_invd = 0x76,
    exit_halt = 0x78,
    exit_invlpga = 0x7A,
    exit_port = 0x7B,
    exit_msr = 0x7C,
    exit_shutdown = 0x7F,
    exit_vmrun = 0x80,
    exit_vmmcall = 0x81,
    exit_vmload = 0x82,
    exit_skinit = 0x86,
    exit_wbinvd = 0x89,
    exit_monitor = 0x8A,
    exit_mwait = 0x8B,
    exit_xsetbv = 0x8D,
    exit_nested_fault = 0x400,
    exit_invalid = ~uint64_t{0},
    exit_invalid_32 = 0xFFFF'FFFF,  // QEMU 7.2's
};

// exit_info_1 of exit_nested_fault, beside the error code of a page fault.
inline constexpr uint64_t nested_fetch = 1u << 4;
inline constexpr uint64_t nested_walk = uint64_t{1} << 33;     // of the guest's own tables

// Event injection and interrupted delivery share a format.
inline constexpr uint64_t event_valid = uint64_t{1} << 31;
inline constexpr uint64_t event_error_valid = uint64_t{1} << 11;
inline constexpr unsigned event_type_shift = 8;
inline constexpr uint64_t event_interrupt = 0, event_nmi = 2, event_exception = 3, event_software = 4;

// virtual_interrupt
inline constexpr uint64_t virtual_priority = 0xF;
inline constexpr uint64_t virtual_request = uint64_t{1} << 8;
inline constexpr uint64_t virtual_highest_priority = uint64_t{0xF} << 16;
inline constexpr uint64_t virtual_ignore_tpr = uint64_t{1} << 20;
inline constexpr uint64_t virtual_masking = uint64_t{1} << 24;

}  // namespace bulkhead::svm
