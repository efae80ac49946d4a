// SPDX-License-Identifier: BSD-2-Clause
// The window for frames that are not the partition's own. From every vCPU.
#pragma once

#include "pvdrivers/runtime/layout.hpp"
#include "pvdrivers/runtime/page_entry.hpp"

#include <cstddef>

namespace bulkhead {

// Pages in a row whose page tables exist and that map nothing; 0: the window or the memory for
// tables is used up.
[[nodiscard]] uint64_t take_window(size_t pages);
// They map nothing any more.
void give_window_back(uint64_t address, size_t pages);
// One frame, for good. Null: there is no room, or the hypervisor refuses (then `error` says why).
[[nodiscard]] void* map_frame(Mfn frame, Rights rights, long& error);

}  // namespace bulkhead
