// SPDX-License-Identifier: BSD-2-Clause
// What CPUID says to PV partitions. One table, made once at start from the CPU's own answers and a
// written list of what may be offered; whatever the list does not name reads as zero.
//
// Kernels ask by the forced-emulation prefix. User programs execute the instruction itself and see
// the CPU as it is, so that the list offers only what XCR0 or CR4 can gate, what needs no support,
// or what the core switches.
#pragma once

#include "core/vcpu.hpp"
#include "platform/x86/features.hpp"

#include <cstdint>

namespace bulkhead {

// Once at start, after machine::init_fpu(); xcr0: what the core saves and restores.
void init_cpuid_policy(CpuidFunction host, uint64_t xcr0, bool stable_clock);

// The answer for a vCPU: from the table, with what depends on its number and its registers.
[[nodiscard]] CpuidResult guest_cpuid(const Vcpu& vcpu, uint32_t leaf, uint32_t subleaf);

// Facts that other policies need, constant after start.
[[nodiscard]] uint64_t policy_xcr0();
[[nodiscard]] uint32_t policy_physical_bits();
[[nodiscard]] bool policy_offers_tsc_aux();
[[nodiscard]] bool policy_offers_fsgsbase();
[[nodiscard]] bool policy_offers_arch_capabilities();
[[nodiscard]] CpuVendor policy_vendor();

}  // namespace bulkhead
