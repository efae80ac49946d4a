// SPDX-License-Identifier: BSD-2-Clause
// The end of a partition's life by its own fault.
#pragma once

#include "core/partition.hpp"

namespace bulkhead {

// Stops the partition and applies on_crash soon. Logs the sentence with the vCPU's registers. The
// caller returns as if nothing was done: the vCPU does not run again in this life.
[[gnu::format(printf, 2, 3)]] void crash_partition(Vcpu& vcpu, const char* format, ...);

}  // namespace bulkhead
