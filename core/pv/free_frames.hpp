// SPDX-License-Identifier: BSD-2-Clause
// Frames that a partition owns and its guest does not have: given back by it, or between memory and
// maxmem. Linked through their entries in the frame table, so that nothing a guest can still write to
// by a stale TLB entry is trusted. `memory.lock` held, or nothing runs.
#pragma once

#include "core/partition.hpp"
#include "core/result.hpp"

namespace bulkhead {

// Takes a frame from the guest: XEN_EINVAL if it has none of that number (or the core holds it),
// XEN_EBUSY while anything references it.
[[nodiscard]] Errno give_back(Partition& partition, Mfn number);
// Whether give_back() would take it.
[[nodiscard]] Errno may_give_back(const Partition& partition, Mfn number);
// A scrubbed frame for the guest as its `pfn`; invalid_mfn if there is none left.
[[nodiscard]] Mfn give_out(Partition& partition, uint64_t pfn);

// For start of day, on a frame that nothing references.
void put_on_free_list(Partition& partition, Mfn number);

}  // namespace bulkhead
