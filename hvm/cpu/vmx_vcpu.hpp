// SPDX-License-Identifier: BSD-2-Clause
// What VT-x needs of a vCPU beside HardwareVcpu, and the parts of it that are not run at each exit.
#pragma once

#include "core/types.hpp"
#include "core/vcpu.hpp"
#include "hvm/cpu/local_apic.hpp"
#include "hvm/cpu/vmx_capabilities.hpp"
#include "hvm/cpu/vmx_fields.hpp"

#include <array>
#include <cstdint>

namespace bulkhead::vmx {

// MSRs that guests use themselves and that the CPU does not switch: exchanged with each switch of vCPUs,
// since ring 0 uses none of them.
inline constexpr size_t switched_msr_count = 5;
using SwitchedMsrs = std::array<uint64_t, switched_msr_count>;

// The two MSRs of the local APIC that the CPU carries out by itself.
inline constexpr uint32_t x2apic_task_priority = 0x808;
inline constexpr uint32_t x2apic_end_of_interrupt = 0x80B;

struct SegmentState {
    uint16_t selector;
    uint32_t limit;
    uint32_t rights;
    uint64_t base;
};

// A guest's state at the beginning of a life or after a start-up IPI. Another CPU may prepare it, so it
// comes into the VMCS only with the next entry.
struct StartState {
    std::array<SegmentState, segment_count> segments;   // by Segment
    uint64_t cr0;                                       // as the guest sees it
};

struct VmxVcpu {
    HostPhysical vmcs;
    uint64_t ept_pointer;
    uint16_t vpid;
    bool made;                          // the VMCS has its constant fields; since then it is its own CPU's
    bool launched;
    bool start_pending;                 // `start` is to be put into the VMCS
    StartState start;
    uint32_t pin_controls;              // as in the VMCS now
    uint32_t primary_controls;          // as in the VMCS now
    uint32_t interruptibility;          // as in the VMCS now
    bool nmi_window_wanted;
    bool flush_data_cache;              // before each entry
    uint64_t cr2, dr6;
    uint32_t* virtual_apic;             // page of the CPU's own local APIC; null: it has none
    bool works_on_page;                 // xAPIC mode, and the CPU carries out what it can of it: constant
    uint16_t interrupt_status;          // GUEST_INTERRUPT_STATUS as in the VMCS now
    SwitchedMsrs guest_msrs, host_msrs;
};

void reset_start(StartState& start);
void set_flat_start(StartState& start);
void set_real_mode_start(StartState& start, uint8_t vector);
// Puts it into the current VMCS.
void apply_start(VmxVcpu& own, const Capabilities& cpu);

// The fields of the current VMCS that do not change any more. Own CPU.
void write_constant_fields(const Vcpu& vcpu, VmxVcpu& own, const Capabilities& cpu, HostPhysical msr_bitmap);

SwitchedMsrs read_switched_msrs();
void write_switched_msrs(const SwitchedMsrs& values);
// A bit of them for each MSR, reads then writes, low then high numbers: 0 where the guest does it itself,
// which the CPU's local APIC in x2APIC mode can be.
HostPhysical make_msr_bitmap(bool passes_apic);

// The local APIC's requests, services and priority into the page that the CPU works on, and back.
void put_apic(LocalApic& apic, VmxVcpu& own);
void take_apic(LocalApic& apic, VmxVcpu& own);
// The same of its other registers, for a vCPU in xAPIC mode.
void put_apic_page(Vcpu& vcpu, VmxVcpu& own);
void take_apic_page(LocalApic& apic, const VmxVcpu& own);

// MOV to CR0 or CR4 that changes a bit which is the core's. True: the guest executes the instruction
// again, and the CPU carries it out. False: #GP.
[[nodiscard]] bool allow_cr0(uint64_t value);
[[nodiscard]] bool allow_cr4(uint64_t value);

}  // namespace bulkhead::vmx
