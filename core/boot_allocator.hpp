// SPDX-License-Identifier: BSD-2-Clause
// Memory for the core's tables, taken once at start and never given back.
#pragma once

#include "core/boot_info.hpp"
#include "core/pv/memory_state.hpp"
#include "core/types.hpp"

#include <cstddef>
#include <new>
#include <span>

namespace bulkhead {

// Zeroed memory in the direct map. Panics with the size when there is none left. Start-up only.
[[nodiscard]] void* boot_allocate(size_t bytes, size_t alignment);
// One zeroed frame for page tables, shared pages and the like.
[[nodiscard]] Mfn boot_allocate_frame();

// What is neither reserved, nor the image's, nor allocated so far: whole frames, ascending. The next
// allocation changes it.
[[nodiscard]] std::span<const FrameRange> free_memory();
// Takes frames out for good, for a partition. False, and nothing taken, unless all of them are free.
[[nodiscard]] bool take_free_memory(FrameRange range);
// Ends allocation: from here on boot_allocate() panics.
void close_boot_allocator();

// Takes the usable memory of the firmware's map above 1 MiB, outside the image. Until
// boot_allocator_reach_all() only memory below `reachable` is handed out.
void start_boot_allocator(const BootInfo& info, HostPhysical reachable);
void boot_allocator_reach_all();
// Bytes handed out by boot_allocate(), for the banner.
[[nodiscard]] uint64_t boot_allocated_bytes();

template <class T>
[[nodiscard]] std::span<T> boot_allocate_array(size_t count)
{
    T* first = static_cast<T*>(boot_allocate(count * sizeof(T), alignof(T)));
    for (size_t i = 0; i < count; ++i)
        new (first + i) T{};
    return {first, count};
}

}  // namespace bulkhead
