// SPDX-License-Identifier: BSD-2-Clause
// The state with which a guest starts a vCPU: VCPUOP_initialise.
#pragma once

#include "core/result.hpp"
#include "core/types.hpp"
#include "core/vcpu.hpp"

namespace bulkhead {

// Takes a vcpu_guest_context at an address of the caller for a vCPU that has never run in this life.
// XEN_EEXIST: it has; XEN_EFAULT; XEN_EINVAL; XEN_ERESTART: call again after what waits.
// Tries the partition's vcpu_lock, and takes `pages` within it.
Result<> initialise_vcpu(Vcpu& caller, Vcpu& target, GuestVirtual context);

}  // namespace bulkhead
