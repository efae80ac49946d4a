// SPDX-License-Identifier: BSD-2-Clause
// Fills in what a plan leaves to the tool. The same plan always gets the same values.
#pragma once

#include "boot/plan/model.hpp"
#include "boot/plan/report.hpp"

namespace bulkhead::tool {

// Sets maxmem, uuid, domain id, placement, the final cmdline, bridges and MAC addresses; gives shared
// memory its members, grants and ports; adds services.
void resolve(SystemModel& system, Report& report);

}  // namespace bulkhead::tool
