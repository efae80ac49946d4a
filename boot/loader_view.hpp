// SPDX-License-Identifier: BSD-2-Clause
// How the readers of loaders' structures reach physical memory, and where the result goes.
#pragma once

#include "core/boot_info.hpp"

#include <cstdint>
#include <cstring>

namespace bulkhead::boot {

// Memory at a physical address, or null if the range cannot be looked at.
using PhysicalView = const void* (*)(uint64_t address, uint64_t size_bytes);

// A copy of the structure at a physical address; false if it cannot be read.
template <class T>
[[nodiscard]] bool read_physical(PhysicalView view, uint64_t address, T& to)
{
    const void* from = view(address, sizeof(T));
    if (from == nullptr)
        return false;
    memcpy(&to, from, sizeof(T));
    return true;
}

// Copies a text of at most `limit` bytes with or without its terminating zero, cut off to fit.
void copy_text(PhysicalView view, uint64_t address, uint64_t limit, char* to, size_t to_bytes);

// What each reader answers: null, or why the hand-over cannot be used, as a sentence.
const char* read_pvh(PhysicalView view, uint64_t start_info, BootInfo& info);
const char* read_multiboot2(PhysicalView view, uint64_t information, BootInfo& info);
const char* read_own_loader(PhysicalView view, uint64_t handover, BootInfo& info);
// Searches for the tables itself: coreboot passes nothing to a payload.
const char* read_coreboot(PhysicalView view, BootInfo& info);

}  // namespace bulkhead::boot
