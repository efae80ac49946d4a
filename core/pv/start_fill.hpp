// SPDX-License-Identifier: BSD-2-Clause
// What a partition's memory holds when a life of it begins: payloads where the plan puts them, and
// zeros elsewhere, so that no frame is written twice.
#pragma once

#include "core/pv/start_of_day.hpp"

namespace bulkhead {

// One slice of it, from PvMemory::build.next on; `failed` leaves the reason in build.failure.
[[nodiscard]] BuildStep fill_memory(Partition& partition, const plan::Header& header);

}  // namespace bulkhead
