// SPDX-License-Identifier: BSD-2-Clause
// The switch's slice: its networks, their cards, who there is, and the devices that it gets.
#pragma once

#include "boot/plan/model.hpp"
#include "boot/plan/tree.hpp"

namespace bulkhead::tool {

void add_networks(const SystemModel& system, Node& root);

}  // namespace bulkhead::tool
