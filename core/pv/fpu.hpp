// SPDX-License-Identifier: BSD-2-Clause
// What a guest may decide about its floating-point state: CR0.TS and XCR0. Saving and restoring the
// state is machine/fpu.hpp's.
#pragma once

#include "core/result.hpp"
#include "core/vcpu.hpp"

#include <cstdint>

namespace bulkhead {

// CR0.TS as the guest wants it: #NM at its next use of the FPU. The vCPU is the current one.
void set_task_switched(Vcpu& vcpu, bool on);

// XSETBV of register 0. XEN_EINVAL: components that are not offered, or that need others.
Result<> set_xcr0(Vcpu& vcpu, uint64_t value);

}  // namespace bulkhead
