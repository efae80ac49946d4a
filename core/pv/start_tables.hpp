// SPDX-License-Identifier: BSD-2-Clause
// The page tables with which a PV partition starts: its first frames at the kernel's virtual base,
// and, if the kernel names an address for it, the frame list there. Tables are mapped read-only.
#pragma once

#include "core/partition.hpp"

namespace bulkhead {

// The plan's numbers are consistent with each other: null, or a sentence.
[[nodiscard]] const char* check_start(const Partition& partition);

// Prepares BuildState; the frames of the tables are zero.
void begin_start_tables(Partition& partition);
// Fills the tables for the next 2 MiB of address space.
enum class TablesStep : uint8_t { more, done, too_few };
[[nodiscard]] TablesStep next_start_table(Partition& partition);

[[nodiscard]] Mfn start_top_level(const Partition& partition);

}  // namespace bulkhead
