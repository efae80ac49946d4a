// SPDX-License-Identifier: BSD-2-Clause
// What a CPU does between a guest's exit and the next entry when the fast path is not enough.
#pragma once

#include "core/vcpu.hpp"

namespace bulkhead {

// Takes the state of a partition's vCPUs out of this CPU, if one is still loaded, so that its frames
// may be given a new life. None of them is current. Own CPU.
void unload_partition(const Partition& partition);

}  // namespace bulkhead
