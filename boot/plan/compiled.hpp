// SPDX-License-Identifier: BSD-2-Clause
// The compiled plan as bytes: header, tables, payloads, as core/plan.hpp lays them out.
#pragma once

#include <vector>

#include "boot/plan/bytes.hpp"
#include "boot/plan/loading.hpp"
#include "boot/plan/model.hpp"
#include "boot/plan/payloads.hpp"
#include "boot/plan/symbols.hpp"

namespace bulkhead::tool {

// Everything must have been checked without an error. The result passes check_plan().
[[nodiscard]] Bytes compile_plan(const SystemModel& system, const std::vector<LoadedPartition>& loaded,
                                 const PayloadStore& payloads, const std::vector<FunctionSymbol>& symbols);

}  // namespace bulkhead::tool
