// SPDX-License-Identifier: BSD-2-Clause
// Checked builds (`make CHECKED=1`): core/pv/invariants.hpp on the target, over all PV partitions, while
// every other CPU stands still between two operations. What it finds is the core's own mistake and ends in
// a panic that names the frame and the references. In other builds nothing here leaves an instruction.
#pragma once

#include "core/partition.hpp"

#include <cstdint>

namespace bulkhead {

#ifdef BULKHEAD_CHECKED
inline constexpr bool checked_build = true;
#else
inline constexpr bool checked_build = false;
#endif

namespace checked {

// Takes the memory that the checks need. Start-up, last of all that allocates.
void init();

// What a guest has just had done, for the message.
enum class Operation : uint8_t { hypercall, store_to_table, ldt_page };
// Counts it; every so many the partition is checked, and every sixteenth time all of them.
void count_operation(Vcpu& vcpu, Operation operation, uint64_t number);
// At the edges of a life, of this partition and all others.
void check_at(const Partition& partition, const char* edge);
// Work of a CPU that was told to (work_check): stands still until the check has ended.
void stand_still();

// Of the monitor: how many operations from one check to the next; 0: at the edges of lives only.
void set_interval(uint64_t operations);
struct Figures {
    uint64_t interval;
    uint64_t operations;
    uint64_t checks;
    uint64_t put_off;        // because a CPU did not come to rest
};
[[nodiscard]] Figures figures();

}  // namespace checked

inline void operation_done(Vcpu& vcpu, checked::Operation operation, uint64_t number = 0)
{
    if constexpr (checked_build)
        checked::count_operation(vcpu, operation, number);
}

inline void check_at_edge(const Partition& partition, const char* edge)
{
    if constexpr (checked_build)
        checked::check_at(partition, edge);
}

}  // namespace bulkhead
