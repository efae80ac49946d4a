// SPDX-License-Identifier: BSD-2-Clause
// BULKHEADOP_device_*: an owner asks about its devices and sets them up. Source: pvdrivers/abi/bulkhead.h.
#pragma once

#include "core/partition.hpp"

namespace bulkhead {

// -ENOSYS: no operation of devices.
[[nodiscard]] long device_op(Partition& self, uint32_t operation, GuestVirtual argument);

}  // namespace bulkhead
