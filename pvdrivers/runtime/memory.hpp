// SPDX-License-Identifier: BSD-2-Clause
// The runtime's side of <bulkhead/memory.hpp>.
#pragma once

#include "pvdrivers/runtime/address_space.hpp"

#include <bulkhead/memory.hpp>

namespace bulkhead {

// Start-up: the pages from `free` on, except the holes, are the program's. Holes come in order; an
// empty one is none.
void init_memory(uint64_t free, uint64_t pages, PageRange hole, PageRange next_hole);
// Start-up: the heap may grow to this many bytes; 0: as far as there is memory.
void limit_heap(uint64_t bytes);
// Start-up: maps the persistent region if the slice has one; its pages, to be left out elsewhere.
[[nodiscard]] PageRange persistent_pages();
void map_persistent_pages(PageRange pages);
// Start-up: the pages that devices reach, if the slice has some; `free` is the first page that is.
[[nodiscard]] PageRange take_dma_pages(uint64_t free);

// Start-up: a ring's page that start info names. It may lie outside of what is memory.
[[nodiscard]] void* ring_page(uint64_t frame);

// One zeroed page, or null. The memory lock is held.
[[nodiscard]] void* take_table_page();

// The heap's new end, or null if it cannot grow so far. Only malloc calls it, under its lock.
[[nodiscard]] void* grow_heap(ptrdiff_t bytes);
// A sentence about the heap being at its end, for what cannot go on without memory.
[[noreturn]] void heap_is_exhausted(size_t wanted);

}  // namespace bulkhead
