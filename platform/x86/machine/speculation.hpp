// SPDX-License-Identifier: BSD-2-Clause
// Speculation across partitions. Own CPU, interrupts off.
#pragma once

#include "core/cpu.hpp"

namespace bulkhead {

struct Partition;

namespace machine {

// The CPU is given to a vCPU, perhaps of another partition than the one it had before: nothing that the former
// trained is followed any more, unless the plan trusts it. Nothing but a note where the CPU needs neither a
// barrier nor another SPEC_CTRL for any partition.
inline void change_partition(Cpu& cpu, const Partition& next);

// Whether page-table entries that are not present let a guest read the memory that they name (L1TF).
[[nodiscard]] bool absent_entries_leak();

// Constant after start.
extern constinit bool partitions_change_speculation;
void change_speculation(CpuPart& part, const Partition& next);

inline void change_partition(Cpu& cpu, const Partition& next)
{
    if (partitions_change_speculation) [[unlikely]]
        change_speculation(cpu.machine, next);
}

}  // namespace machine

}  // namespace bulkhead
