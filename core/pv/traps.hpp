// SPDX-License-Identifier: BSD-2-Clause
// One entry of a vCPU's virtual trap table.
#pragma once

#include "core/result.hpp"
#include "core/vcpu.hpp"

extern "C" {
#include <xen/xen.h>
}

namespace bulkhead {

// XEN_EINVAL for an address that is not canonical; the selector's RPL becomes 3.
Result<> set_trap(Vcpu& vcpu, const trap_info& trap);

}  // namespace bulkhead
