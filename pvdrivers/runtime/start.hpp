// SPDX-License-Identifier: BSD-2-Clause
// The steps of a start that PV and hardware guests share, in their order.
#pragma once

#include <cstdint>

namespace bulkhead {

// GS points to vCPU 0's part already.
void begin_vcpu();
// Page tables, slice, memory. `free`: the first address behind what must stay; of the pages from there
// on at least those before `mapped` are mapped.
void take_memory_over(uint64_t free, uint64_t mapped);
// Shared info is mapped, and exceptions and events have their entries. Does not come back.
[[noreturn]] void go_on();

}  // namespace bulkhead
