// SPDX-License-Identifier: BSD-2-Clause
// What the scheduler knows of one vCPU. Its own CPU only, except where atomic.
#pragma once

#include "core/types.hpp"

#include <cstdint>

namespace bulkhead {

struct ScheduleEntity {
    uint8_t priority;             // 0..31
    uint64_t budget_ticks;        // 0: none
    uint64_t period_ticks;
};

}  // namespace bulkhead
