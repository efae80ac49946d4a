// SPDX-License-Identifier: BSD-2-Clause
// Memory that several partitions share, as the plan declares it.
#pragma once

#include <vector>

#include "boot/plan/model.hpp"
#include "boot/plan/report.hpp"
#include "boot/plan/tree.hpp"

namespace bulkhead::tool {

[[nodiscard]] std::vector<SharedMemoryModel> read_shared_memory(const Node& node, Report& report);

// Finds the members by their names, refuses what two would write without the plan's leave, and hands
// out frames, grants and ports.
void resolve_shared_memory(SystemModel& system, Report& report);

}  // namespace bulkhead::tool
