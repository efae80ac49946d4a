// SPDX-License-Identifier: BSD-2-Clause
// Checks between the values of a plan: what is unique, what must exist, what must fit together.
#pragma once

#include "boot/plan/model.hpp"
#include "boot/plan/report.hpp"

namespace bulkhead::tool {

// Errors for what cannot work, warnings for what probably was not meant. After resolve().
void check_system(const SystemModel& system, Report& report);

// The part about time: priorities, budgets, windows, services.
void check_schedule(const SystemModel& system, Report& report);

}  // namespace bulkhead::tool
