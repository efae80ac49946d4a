// SPDX-License-Identifier: BSD-2-Clause
// Counters of a partition's lives and why the last one ended.
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
    uint32_t suspends_refused;
    std::array<char, 128> last_reason;     // sentence, zero-terminated
};

}  // namespace bulkhead
