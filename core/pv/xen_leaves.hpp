// SPDX-License-Identifier: BSD-2-Clause
// The CPUID leaves of the Xen ABI. Source: xen/include/public/arch-x86/cpuid.h.
#pragma once

#include "platform/x86/cpuid.hpp"

#include <cstdint>

namespace bulkhead {

// All zero for a leaf outside of them.
[[nodiscard]] CpuidResult xen_leaf(uint32_t leaf, uint32_t subleaf);

}  // namespace bulkhead
