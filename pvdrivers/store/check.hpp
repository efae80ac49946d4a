// SPDX-License-Identifier: BSD-2-Clause
// The check of a whole region, made before a life of the store trusts what the former one left.
#pragma once

#include "pvdrivers/store/region.hpp"

namespace bulkhead::store {

// What is wrong with the contents of a region whose frame is sound (Region::attach()); null if nothing.
// Every cell must be in exactly one place, every list must end, and the accounts must be right.
// Follows nothing that it has not checked; the time is bounded by the number of cells.
[[nodiscard]] const char* check(Region& region);

}  // namespace bulkhead::store
