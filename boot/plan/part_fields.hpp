// SPDX-License-Identifier: BSD-2-Clause
// The smaller nodes of a plan: machine, networks, services, schedule.
#pragma once

#include "boot/plan/cpu_list.hpp"
#include "boot/plan/model.hpp"
#include "boot/plan/report.hpp"
#include "boot/plan/tree.hpp"

namespace bulkhead::tool {

void read_machine(const Node& node, MachineModel& machine, Report& report);
[[nodiscard]] std::vector<NetworkModel> read_networks(const Node& node, Report& report);
[[nodiscard]] std::vector<ServiceModel> read_services(const Node& node, CpuBound cpus, Report& report);
void read_schedule(const Node& node, CpuBound cpus, SystemModel& system, Report& report);

}  // namespace bulkhead::tool
