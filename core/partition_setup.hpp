// SPDX-License-Identifier: BSD-2-Clause
// Makes the partitions of the plan, once at start: their vCPUs, memory and shared frames. What the
// box cannot give leaves a partition out, with the reason; the others are not touched by it.
#pragma once

#include "core/plan.hpp"

namespace bulkhead {

// The CPUs are known, the start-up allocator is open.
void make_partitions(const plan::Header& header);

}  // namespace bulkhead
