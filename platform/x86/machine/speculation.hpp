// SPDX-License-Identifier: BSD-2-Clause
// Speculation across partitions. Own CPU, interrupts off.
#pragma once

namespace bulkhead {

struct Cpu;
struct Partition;

namespace machine {

// The CPU is given to a vCPU of another partition than the one it had before: nothing that the former
// trained is followed any more, unless the plan trusts it.
void change_partition(Cpu& cpu, const Partition& next);

// Whether page-table entries that are not present let a guest read the memory that they name (L1TF).
[[nodiscard]] bool absent_entries_leak();

}  // namespace machine

}  // namespace bulkhead
