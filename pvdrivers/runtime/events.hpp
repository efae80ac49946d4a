// SPDX-License-Identifier: BSD-2-Clause
// The runtime's side of <bulkhead/events.hpp>.
#pragma once

#include "pvdrivers/runtime/vcpu_local.hpp"

namespace bulkhead {

// Start-up, once shared info is mapped: no port is bound, all are masked.
void init_events();

}  // namespace bulkhead
