// SPDX-License-Identifier: BSD-2-Clause
// The properties of one partition.
#pragma once

#include "boot/plan/cpu_list.hpp"
#include "boot/plan/model.hpp"
#include "boot/plan/report.hpp"
#include "boot/plan/tree.hpp"

namespace bulkhead::tool {

// Reads what `node` states and reports what is wrong with each value by itself, and what is missing.
[[nodiscard]] PartitionModel read_partition(const Node& node, CpuBound cpus, Report& report);

[[nodiscard]] Outcome<Uuid> parse_uuid(std::string_view text);

}  // namespace bulkhead::tool
