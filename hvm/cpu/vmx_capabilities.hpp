// SPDX-License-Identifier: BSD-2-Clause
// What this CPU's VT-x can do, and the control words made from it: the same on every CPU. Computed from
// the capability MSRs through a function, so that it runs on the host against tables.
#pragma once

#include "hvm/cpu/vmx_fields.hpp"
#include "platform/x86/features.hpp"

#include <array>
#include <cstdint>

namespace bulkhead::vmx {

struct Capabilities {
    uint32_t revision;                  // first word of every VMCS
    uint32_t pin, primary, secondary, exit, entry;
    bool pages_1g, pages_2m;            // of extended page tables
    bool vpid;
    bool preemption_timer;              // not in `pin`: it is switched on and off
    unsigned timer_shift;               // it counts when bit n of the TSC changes
    bool virtual_apic;                  // the CPU delivers the local APIC's interrupts and takes their ends
    bool apic_page;                     // it does so by the APIC's page, too, and carries accesses to that out
    bool invept_single, invept_all, invvpid_all;
    // Of CR0 and CR4 while VMX is on, root and guest: those that must be set, and that may be.
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
    std::array<char, 112> lacks;        // a sentence; empty: it has what hardware partitions need
};

// Source: Intel SDM vol 3, appendix A, "VMX Capability Reporting Facility".
[[nodiscard]] Capabilities decode_capabilities(ReadMsrFunction msr_of);
// Of a vCPU whose local APIC is in that mode.
[[nodiscard]] uint32_t secondary_controls(const Capabilities& cpu, bool apic_by_page);

}  // namespace bulkhead::vmx
