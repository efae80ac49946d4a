// SPDX-License-Identifier: BSD-2-Clause
// Nested page tables: made once at start from the partition's memory with the largest pages that fit,
// and never on a fault. Only pages that the guest places itself (shared info, grant table:
// XENMEM_add_to_physmap) change them later, in tables set aside for that.
#pragma once

#include "core/guest_memory_map.hpp"
#include "core/partition.hpp"
#include "core/result.hpp"

#include <cstdint>

namespace bulkhead {

// Start-up.
void make_nested_tables(Partition& partition);
// Start-up, after that: a page where there is no RAM.
void map_page_at_start(Partition& partition, uint64_t gfn, Mfn frame);
// The host frame that the tables have at a guest frame number; invalid_mfn: none.
[[nodiscard]] Mfn nested_lookup(const Partition& partition, uint64_t gfn);
// The same, with whether a large page has it: then so it is for all of its aligned 2 MiB.
struct NestedPage {
    Mfn frame;
    bool large;
};
[[nodiscard]] NestedPage nested_page(const Partition& partition, uint64_t gfn);
// Puts one page there in place of what is there; invalid_mfn: takes it away, and RAM comes back if
// there was RAM. XEN_ENOMEM: the tables set aside for it are used up. Pages lock held; other
// vCPUs see it from their next entry on.
Result<> nested_place(Partition& partition, uint64_t gfn, Mfn frame);
// All back to what start-up made. No vCPU runs.
void nested_reset(Partition& partition);

}  // namespace bulkhead
