// SPDX-License-Identifier: BSD-2-Clause
// Validation and release of trees of page tables without recursion: a stack of at most four levels in
// PvMemory, so that it can stop after a share of work at any entry and go on later, on any vCPU.
//
// A table on the stack is marked `changing`: it has its type and one reference, nobody can take
// another, and none of its entries is used by any CPU. Its entries below the level's index hold
// references. That is all there is to every intermediate state. `memory.lock` held.
#pragma once

#include "core/pv/page_table.hpp"
#include "platform/x86/layout.hpp"

namespace bulkhead {

struct TakenTable {
    Errno error;
    bool needs_validation;   // it is marked `changing`: to be put on the stack
};

// A reference to a frame as a table; XEN_EINVAL if it cannot be one now.
[[nodiscard]] TakenTable take_table(const Partition& partition, Mfn table, FrameType type);
// Drops one. True if it was the last: the table is marked `changing` and keeps it until released.
[[nodiscard]] bool put_table(Mfn table);

// No walk is under way. The result goes to parked[requester].
void start_validation(PvMemory& memory, Mfn table, FrameType type, VcpuNumber requester);
void start_release(PvMemory& memory, Mfn table, FrameType type);

// An entry of a table above L1 as it will be written, or XEN_EINVAL. The value is present.
[[nodiscard]] Errno admit_upper_value(uint64_t& value);
// An entry that maps its own table. Refused unless the plan allows it and it is read-only.
[[nodiscard]] bool admit_linear(PvMemory& memory, uint64_t value);

// What a top level of a guest has in one of the core's slots. Only the machine-to-phys table is for
// ring 3; the others are closed to it here too, for partitions whose tables may map themselves.
[[nodiscard]] uint64_t core_slot_value(unsigned slot);

constexpr bool is_core_slot(FrameType type, unsigned index)
{
    return type == FrameType::l4 && index >= layout::core_first_slot && index < layout::core_end_slot;
}

}  // namespace bulkhead
