// SPDX-License-Identifier: BSD-2-Clause
// A whole plan: the root, the machine, networks, services, and the partitions.
#pragma once

#include <string>

#include "boot/plan/model.hpp"
#include "boot/plan/report.hpp"
#include "boot/plan/tree.hpp"

namespace bulkhead::tool {

// Reads everything that the tree states; `path` is the plan's file. Checks between the values are
// check_system()'s.
[[nodiscard]] SystemModel read_system(const Node& root, const std::string& path, Report& report);

}  // namespace bulkhead::tool
