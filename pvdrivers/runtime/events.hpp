// SPDX-License-Identifier: BSD-2-Clause
// The runtime's side of <bulkhead/events.hpp>.
#pragma once

#include "pvdrivers/runtime/vcpu_local.hpp"

#include <bulkhead/events.hpp>

namespace bulkhead {

// Start-up, once shared info is mapped: no port is bound, all are masked.
void init_events();

// A port for an interrupt of a device, as <bulkhead/device.hpp> binds them. `line`: it may be shared.
[[nodiscard]] Result<Port> bind_pirq(uint32_t pirq, bool line, EventHandler handler);

}  // namespace bulkhead
