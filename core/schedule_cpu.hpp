// SPDX-License-Identifier: BSD-2-Clause
// What the scheduler keeps for one CPU: the vCPUs that are pinned to it and its cyclic table.
#pragma once

#include <cstdint>

namespace bulkhead {

struct Vcpu;

struct ScheduleCpu {
    Vcpu** vcpus;                 // all that are pinned here; fixed after start
    uint32_t vcpu_count;
};

}  // namespace bulkhead
