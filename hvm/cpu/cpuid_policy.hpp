// SPDX-License-Identifier: BSD-2-Clause
// What CPUID says to hardware partitions: the written list of core/pv/cpuid_features.hpp, which is
// what the core switches, and what nested paging and the local APIC add to it.
#pragma once

#include "core/vcpu.hpp"
#include "platform/x86/features.hpp"

namespace bulkhead {

// Start-up, after init_cpuid_policy().
void init_hardware_cpuid(CpuidFunction host);
[[nodiscard]] CpuidResult hardware_cpuid(Vcpu& vcpu, uint32_t leaf, uint32_t subleaf);

}  // namespace bulkhead
