// SPDX-License-Identifier: BSD-2-Clause
// Counters and policy of a partition's lives.
#pragma once

#include "core/types.hpp"

#include <array>
#include <cstdint>

namespace bulkhead {

struct Health {
    uint32_t starts;
    uint32_t poweroffs;
    uint32_t reboots;
    uint32_t crashes;
    uint32_t watchdog_fires;
    std::array<char, 128> last_reason;     // sentence, zero-terminated
};

}  // namespace bulkhead
