// SPDX-License-Identifier: BSD-2-Clause
// Fake: counts changes of partition; a test says whether absent entries leak.
#pragma once

#include <cstdint>

namespace bulkhead {

struct Cpu;
struct Partition;

namespace machine {

inline uint64_t partition_changes;
inline bool absent_leaks;

inline void change_partition(Cpu&, const Partition&) { ++partition_changes; }
[[nodiscard]] inline bool absent_entries_leak() { return absent_leaks; }

}  // namespace machine

}  // namespace bulkhead
