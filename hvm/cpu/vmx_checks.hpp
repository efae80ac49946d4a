// SPDX-License-Identifier: BSD-2-Clause
// Which field of the guest's state made a VM entry fail: the CPU says only that one did.
#pragma once

#include "hvm/cpu/vmx_capabilities.hpp"

namespace bulkhead::vmx {

// The first field of the current VMCS that an entry does not accept, and why, in a few words. The checks
// that a memory access would need (page-directory pointers) are not among them.
// Source: Intel SDM vol 3, "Checking and Loading Guest State".
[[nodiscard]] const char* bad_guest_field(const Capabilities& cpu);

}  // namespace bulkhead::vmx
