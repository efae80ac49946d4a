// SPDX-License-Identifier: BSD-2-Clause
// The partition's memory. malloc and operator new use the heap, which begins empty and grows page by
// page; whole pages, for rings and buffers that others see, are taken from the other end.
#pragma once

#include <bulkhead/result.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace bulkhead {

inline constexpr size_t page_bytes = 4096;

enum class Access : uint8_t { read_only, writable };

// Sizes in bytes. The heap's limit is `heap` (KiB) in the plan's `config` node; without it, what is
// left of the memory.
struct MemoryFigures {
    size_t partition;       // what the partition has
    size_t heap_used;       // what the heap has grown to
    size_t heap_limit;      // what it could grow to now
    size_t free_pages;      // in pages, for heap and allocate_pages() together
};
[[nodiscard]] MemoryFigures memory_figures();

// Zeroed pages in a row, page-aligned. XEN_ENOMEM: there are no more.
[[nodiscard]] Result<std::span<std::byte>> allocate_pages(size_t count);
void free_pages(std::span<std::byte> pages);

// Maps a frame that the core shares by number, such as the state of a service's clients.
// XEN_EPERM: it is not shared with this partition. It stays mapped.
[[nodiscard]] Result<std::span<std::byte>> map_shared_frame(uint64_t frame, Access access);

// What a restart of the partition does not clear, at a fixed address; XEN_ENOENT if the plan gives
// none. Its content is whatever the former life left: check it.
[[nodiscard]] Result<std::span<std::byte>> persistent_region();

// The machine frame of an address in the partition's own memory, for rings whose ABI wants it.
[[nodiscard]] uint64_t machine_frame(const void* address);

}  // namespace bulkhead
