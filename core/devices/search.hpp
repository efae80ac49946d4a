// SPDX-License-Identifier: BSD-2-Clause
// Which function of the box a device of the plan is. Start-up only; apart so that it can be tested with
// invented boxes.
#pragma once

#include "core/plan.hpp"
#include "platform/x86/pci.hpp"

#include <span>

namespace bulkhead {

// Whether the plan's record fits the function. `ids` are the record's.
[[nodiscard]] bool device_matches(const plan::Device& wanted, std::span<const plan::DeviceId> ids,
                                  const PciFunction& function);

}  // namespace bulkhead
