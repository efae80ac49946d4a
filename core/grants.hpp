// SPDX-License-Identifier: BSD-2-Clause
// The grant table of one partition.
#pragma once

#include "core/result.hpp"
#include "core/spinlock.hpp"
#include "core/types.hpp"

#include <cstdint>

namespace bulkhead {

struct GrantTable {
    Spinlock lock{LockRank::grants};
};

}  // namespace bulkhead
