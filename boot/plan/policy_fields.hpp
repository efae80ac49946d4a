// SPDX-License-Identifier: BSD-2-Clause
// The properties of a partition that say how it runs and what follows its end.
#pragma once

#include <span>

#include "boot/plan/fields.hpp"
#include "boot/plan/model.hpp"

namespace bulkhead::tool {

[[nodiscard]] std::span<const Field<PartitionModel>> policy_fields();

}  // namespace bulkhead::tool
