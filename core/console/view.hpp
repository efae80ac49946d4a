// SPDX-License-Identifier: BSD-2-Clause
// For the monitor's commands that turn the terminal elsewhere. CPU 0, in console_work().
#pragma once

#include "core/console/text_out.hpp"

#include <cstddef>

namespace bulkhead {

void turn_to_overview(TextOut& out);
// Number of the partition in the plan's order, 1 for the first.
void turn_to_partition(size_t number, TextOut& out);
[[nodiscard]] bool shows_monitor();

}  // namespace bulkhead
