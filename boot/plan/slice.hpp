// SPDX-License-Identifier: BSD-2-Clause
// A slice: the part of the plan that concerns one program on the runtime, as a flattened device tree
// that the program gets in the place of a ramdisk. pvdrivers/runtime reads it.
#pragma once

#include <string>

#include "boot/plan/bytes.hpp"
#include "boot/plan/model.hpp"
#include "boot/plan/outcome.hpp"
#include "boot/plan/tree.hpp"

namespace bulkhead::tool {

// The slice of a partition of the resolved plan.
[[nodiscard]] Bytes make_slice(const SystemModel& system, const PartitionModel& partition);

// A tree as a flattened device tree. The root's name is empty.
[[nodiscard]] Bytes flatten(const Node& root);

// For people: a line for each property, `indent` before all of them. A sentence if it is no tree.
[[nodiscard]] Outcome<std::string> slice_text(View slice, const std::string& indent);

}  // namespace bulkhead::tool
