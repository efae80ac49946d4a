// SPDX-License-Identifier: BSD-2-Clause
// The fields of a virtual-machine control structure, its control bits and the numbers of exits.
// Source: Intel SDM vol 3, appendix B, "Field Encoding in VMCS", appendix C, "VMX Basic Exit Reasons",
// and chapter "Virtual Machine Control Structures".
#pragma once

#include <cstdint>

namespace bulkhead::vmx {

enum class Field : uint32_t {
    VIRTUAL_PROCESSOR_ID = 0x0000,
    // Selectors, limits, rights and bases of ES, CS, SS, DS, FS, GS, LDTR, TR lie two apart in this order.
    GUEST_ES_SELECTOR = 0x0800,
    GUEST_CS_SELECTOR = 0x0802,
    GUEST_SS_SELECTOR = 0x0804,
    GUEST_DS_SELECTOR = 0x0806,
    GUEST_LDTR_SELECTOR = 0x080C,
    GUEST_TR_SELECTOR = 0x080E,
    GUEST_INTERRUPT_STATUS = 0x0810,
    HOST_ES_SELECTOR = 0x0C00,
    HOST_CS_SELECTOR = 0x0C02,
    HOST_SS_SELECTOR = 0x0C04,
    HOST_DS_SELECTOR = 0x0C06,
    HOST_FS_SELECTOR = 0x0C08,
    HOST_GS_SELECTOR = 0x0C0A,
    HOST_TR_SELECTOR = 0x0C0C,
    MSR_BITMAP = 0x2004,
    TSC_OFFSET = 0x2010,
    VIRTUAL_APIC_PAGE = 0x2012,
    APIC_ACCESS_ADDRESS = 0x2014,
    EPT_POINTER = 0x201A,
    EOI_EXIT_BITMAP_0 = 0x201C,
    EOI_EXIT_BITMAP_1 = 0x201E,
    EOI_EXIT_BITMAP_2 = 0x2020,
    EOI_EXIT_BITMAP_3 = 0x2022,
    GUEST_PHYSICAL_ADDRESS = 0x2400,
    VMCS_LINK_POINTER = 0x2800,
    GUEST_DEBUGCTL = 0x2802,
    GUEST_PAT = 0x2804,
    GUEST_EFER = 0x2806,
    GUEST_PDPTE_0 = 0x280A,
    HOST_PAT = 0x2C00,
    HOST_EFER = 0x2C02,
    PIN_CONTROLS = 0x4000,
    PRIMARY_CONTROLS = 0x4002,
    EXCEPTION_BITMAP = 0x4004,
    PAGE_FAULT_MASK = 0x4006,
    PAGE_FAULT_MATCH = 0x4008,
    CR3_TARGET_COUNT = 0x400A,
    EXIT_CONTROLS = 0x400C,
    EXIT_MSR_STORE_COUNT = 0x400E,
    EXIT_MSR_LOAD_COUNT = 0x4010,
    ENTRY_CONTROLS = 0x4012,
    ENTRY_MSR_LOAD_COUNT = 0x4014,
    ENTRY_EVENT = 0x4016,
    ENTRY_ERROR_CODE = 0x4018,
    ENTRY_INSTRUCTION_LENGTH = 0x401A,
    TPR_THRESHOLD = 0x401C,
    SECONDARY_CONTROLS = 0x401E,
    INSTRUCTION_ERROR = 0x4400,
    EXIT_REASON = 0x4402,
    EXIT_EVENT = 0x4404,
    EXIT_ERROR_CODE = 0x4406,
    INTERRUPTED_EVENT = 0x4408,             // IDT-vectoring information
    INTERRUPTED_ERROR_CODE = 0x440A,
    INSTRUCTION_LENGTH = 0x440C,
    GUEST_ES_LIMIT = 0x4800,
    GUEST_GDTR_LIMIT = 0x4810,
    GUEST_IDTR_LIMIT = 0x4812,
    GUEST_ES_RIGHTS = 0x4814,
    GUEST_CS_RIGHTS = 0x4816,
    GUEST_SS_RIGHTS = 0x4818,
    GUEST_INTERRUPTIBILITY = 0x4824,
    GUEST_ACTIVITY = 0x4826,
    GUEST_SYSENTER_CS = 0x482A,
    PREEMPTION_TIMER = 0x482E,
    HOST_SYSENTER_CS = 0x4C00,
    CR0_MASK = 0x6000,
    CR4_MASK = 0x6002,
    CR0_SHADOW = 0x6004,
    CR4_SHADOW = 0x6006,
    QUALIFICATION = 0x6400,
    GUEST_LINEAR_ADDRESS = 0x640A,
    GUEST_CR0 = 0x6800,
    GUEST_CR3 = 0x6802,
    GUEST_CR4 = 0x6804,
    GUEST_ES_BASE = 0x6806,
    GUEST_CS_BASE = 0x6808,
    GUEST_GDTR_BASE = 0x6816,
    GUEST_IDTR_BASE = 0x6818,
    GUEST_DR7 = 0x681A,
    GUEST_RSP = 0x681C,
    GUEST_RIP = 0x681E,
    GUEST_RFLAGS = 0x6820,
    GUEST_PENDING_DEBUG = 0x6822,
    GUEST_SYSENTER_ESP = 0x6824,
    GUEST_SYSENTER_EIP = 0x6826,
    HOST_CR0 = 0x6C00,
    HOST_CR3 = 0x6C02,
    HOST_CR4 = 0x6C04,
    HOST_FS_BASE = 0x6C06,
    HOST_GS_BASE = 0x6C08,
    HOST_TR_BASE = 0x6C0A,
    HOST_GDTR_BASE = 0x6C0C,
    HOST_IDTR_BASE = 0x6C0E,
    HOST_SYSENTER_ESP = 0x6C10,
    HOST_SYSENTER_EIP = 0x6C12,
    HOST_RSP = 0x6C14,
    HOST_RIP = 0x6C16,
};

enum class Segment : uint32_t { es, cs, ss, ds, fs, gs, ldtr, tr };
inline constexpr uint32_t segment_count = 8;

constexpr Field of_segment(Field first, Segment segment)
{
    return static_cast<Field>(static_cast<uint32_t>(first) + 2 * static_cast<uint32_t>(segment));
}

// Rights of a segment: bits 0 to 7 and 12 to 15 as in a descriptor.
inline constexpr uint32_t rights_system = 0x10;         // S: code or data, not a system segment
inline constexpr uint32_t rights_present = 0x80;
inline constexpr uint32_t rights_long = 0x2000;
inline constexpr uint32_t rights_default_32 = 0x4000;
inline constexpr uint32_t rights_granular = 0x8000;
inline constexpr uint32_t rights_unusable = 0x10000;
constexpr unsigned rights_type(uint64_t rights) { return rights & 15; }
constexpr unsigned rights_dpl(uint64_t rights) { return rights >> 5 & 3; }

enum PinControl : uint32_t {
    pin_interrupts = 1u << 0,
    pin_nmi = 1u << 3,
    pin_virtual_nmi = 1u << 5,
    pin_preemption_timer = 1u << 6,
};

enum PrimaryControl : uint32_t {
    primary_interrupt_window = 1u << 2,
    primary_halt = 1u << 7,
    primary_mwait = 1u << 10,
    primary_rdpmc = 1u << 11,
    primary_cr3_load = 1u << 15,
    primary_cr3_store = 1u << 16,
    primary_cr8_load = 1u << 19,
    primary_cr8_store = 1u << 20,
    primary_tpr_shadow = 1u << 21,
    primary_nmi_window = 1u << 22,
    primary_ports = 1u << 24,
    primary_msr_bitmap = 1u << 28,
    primary_monitor = 1u << 29,
    primary_secondary = 1u << 31,
};

enum SecondaryControl : uint32_t {
    secondary_apic_accesses = 1u << 0,
    secondary_ept = 1u << 1,
    secondary_rdtscp = 1u << 3,
    secondary_x2apic = 1u << 4,
    secondary_vpid = 1u << 5,
    secondary_wbinvd = 1u << 6,
    secondary_unrestricted = 1u << 7,
    secondary_apic_registers = 1u << 8,
    secondary_virtual_interrupts = 1u << 9,
};

enum ExitControl : uint32_t {
    exit_save_debug = 1u << 2,
    exit_host_64 = 1u << 9,
    exit_save_pat = 1u << 18,
    exit_load_pat = 1u << 19,
    exit_save_efer = 1u << 20,
    exit_load_efer = 1u << 21,
};

enum EntryControl : uint32_t {
    entry_load_debug = 1u << 2,
    entry_long_mode = 1u << 9,
    entry_load_pat = 1u << 14,
    entry_load_efer = 1u << 15,
};

enum Reason : uint32_t {
    reason_exception = 0,
    reason_interrupt = 1,
    reason_triple_fault = 2,
    reason_init = 3,
    reason_interrupt_window = 7,
    reason_nmi_window = 8,
    reason_task_switch = 9,
    reason_cpuid = 10,
    reason_getsec = 11,
    reason_halt = 12,
    reason_invd = 13,
    reason_rdpmc = 15,
    reason_rsm = 17,
    reason_vmcall = 18,
    reason_vmclear = 19,                    // and the further instructions of VMX up to VMXON
    reason_vmxon = 27,
    reason_control_register = 28,
    reason_port = 30,
    reason_msr_read = 31,
    reason_msr_write = 32,
    reason_bad_guest_state = 33,
    reason_bad_msr_load = 34,
    reason_mwait = 36,
    reason_monitor = 39,
    reason_machine_check = 41,
    reason_apic_access = 44,
    reason_eoi = 45,
    reason_ept_violation = 48,
    reason_ept_misconfiguration = 49,
    reason_invept = 50,
    reason_preemption_timer = 52,
    reason_invvpid = 53,
    reason_wbinvd = 54,
    reason_xsetbv = 55,
    reason_apic_write = 56,
    reason_invpcid = 58,
    reason_vmfunc = 59,
    reason_encls = 60,
    reason_xsaves = 63,
    reason_xrstors = 64,
    reason_umwait = 67,
    reason_tpause = 68,
};
inline constexpr uint32_t reason_mask = 0xFFFF;
inline constexpr uint32_t reason_entry_failed = 1u << 31;

// Events on the way in and out have one format.
inline constexpr uint32_t event_valid = 1u << 31;
inline constexpr uint32_t event_error_valid = 1u << 11;
inline constexpr unsigned event_type_shift = 8;
enum EventType : uint32_t {
    event_interrupt = 0,
    event_nmi = 2,
    event_exception = 3,
    event_software_interrupt = 4,
    event_privileged_exception = 5,         // INT1
    event_software_exception = 6,           // INT3, INTO
};

// GUEST_INTERRUPTIBILITY
inline constexpr uint32_t blocked_by_sti = 1u << 0;
inline constexpr uint32_t blocked_by_mov_ss = 1u << 1;
inline constexpr uint32_t blocked_by_smi = 1u << 2;
inline constexpr uint32_t blocked_by_nmi = 1u << 3;

// Capability MSRs. Source: appendix A, "VMX Capability Reporting Facility".
enum CapabilityMsr : uint32_t {
    IA32_VMX_BASIC = 0x480,
    IA32_VMX_PINBASED_CTLS = 0x481,
    IA32_VMX_PROCBASED_CTLS = 0x482,
    IA32_VMX_EXIT_CTLS = 0x483,
    IA32_VMX_ENTRY_CTLS = 0x484,
    IA32_VMX_MISC = 0x485,
    IA32_VMX_CR0_FIXED0 = 0x486,
    IA32_VMX_CR0_FIXED1 = 0x487,
    IA32_VMX_CR4_FIXED0 = 0x488,
    IA32_VMX_CR4_FIXED1 = 0x489,
    IA32_VMX_PROCBASED_CTLS2 = 0x48B,
    IA32_VMX_EPT_VPID_CAP = 0x48C,
    IA32_VMX_TRUE_PINBASED_CTLS = 0x48D,
    IA32_VMX_TRUE_PROCBASED_CTLS = 0x48E,
    IA32_VMX_TRUE_EXIT_CTLS = 0x48F,
    IA32_VMX_TRUE_ENTRY_CTLS = 0x490,
};

}  // namespace bulkhead::vmx
