// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/runtime/memory.hpp"

#include "pvdrivers/runtime/fatal.hpp"
#include "pvdrivers/runtime/page_pool.hpp"
#include "pvdrivers/runtime/spin_lock.hpp"
#include "pvdrivers/runtime/window.hpp"

#include <bulkhead/device.hpp>
#include <bulkhead/slice.hpp>
#include <bulkhead/traps.hpp>

#include <algorithm>
#include <bitset>
#include <cstring>

namespace bulkhead {

namespace {

SpinLock memory_lock;
PagePool pool;

std::byte* heap_start;
std::byte* heap_break;
std::byte* heap_mapped_end;         // page-aligned; up to here the pages are the heap's
size_t heap_limit;                  // bytes; 0: none

std::bitset<layout::window_pages> window_used;
size_t window_hint;

std::span<std::byte> persistent;
std::span<std::byte> dma;

size_t heap_bytes() { return static_cast<size_t>(heap_break - heap_start); }

}  // namespace

void init_memory(uint64_t free, uint64_t pages, PageRange hole, PageRange next_hole)
{
    heap_start = heap_break = heap_mapped_end = static_cast<std::byte*>(address_of(Pfn(free)));
    for (const PageRange each : {hole, next_hole, PageRange{pages, pages}}) {
        if (each.first > free)
            pool.add(address_of(Pfn(free)), each.first - free);
        free = std::max(free, each.end);
    }
}

void limit_heap(uint64_t bytes) { heap_limit = bytes; }

void* take_table_page()
{
    void* page = pool.take(1);
    return page == nullptr ? nullptr : memset(page, 0, page_bytes);
}

// --- Heap -----------------------------------------------------------------------

void* grow_heap(ptrdiff_t bytes)
{
    const Locked lock(memory_lock);
    std::byte* const before = heap_break;
    if (bytes < 0) {
        if (static_cast<size_t>(-bytes) > heap_bytes())
            return nullptr;
        heap_break += bytes;        // its pages stay the heap's
        return before;
    }
    const auto more = static_cast<size_t>(bytes);
    if (heap_limit != 0 && more > heap_limit - heap_bytes())
        return nullptr;
    const auto room = static_cast<size_t>(heap_mapped_end - heap_break);
    if (more > room) {
        const size_t pages = (more - room + page_bytes - 1) / page_bytes;
        if (!pool.take_at(heap_mapped_end, pages))
            return nullptr;
        memset(heap_mapped_end, 0, pages * page_bytes);
        heap_mapped_end += pages * page_bytes;
    }
    heap_break += more;
    return before;
}

MemoryFigures memory_figures()
{
    const Locked lock(memory_lock);
    const size_t reachable = heap_bytes() + static_cast<size_t>(heap_mapped_end - heap_break) +
                             pool.count_at(heap_mapped_end) * page_bytes;
    return {start_info->nr_pages * page_bytes, heap_bytes(),
            heap_limit != 0 && heap_limit < reachable ? heap_limit : reachable, pool.free()};
}

void heap_is_exhausted(size_t wanted)
{
    const MemoryFigures figures = memory_figures();
    crash("the heap is exhausted: %zu bytes are wanted, %zu of %zu KiB are in use", wanted,
          figures.heap_used / 1024, figures.heap_limit / 1024);
}

// --- Pages ----------------------------------------------------------------------

Result<std::span<std::byte>> allocate_pages(size_t count)
{
    const Locked lock(memory_lock);
    void* pages = pool.take(count);
    if (pages == nullptr)
        return failure(XEN_ENOMEM);
    memset(pages, 0, count * page_bytes);
    return std::span(static_cast<std::byte*>(pages), count * page_bytes);
}

void free_pages(std::span<std::byte> pages)
{
    const Locked lock(memory_lock);
    pool.add(pages.data(), pages.size() / page_bytes);
}

// --- Window ---------------------------------------------------------------------

namespace {

uint64_t window_address(size_t page) { return layout::window_base + (page << layout::page_shift); }

// The first page of a run that is not used, from the hint on and then from the start.
size_t find_run(size_t pages, size_t from, size_t to)
{
    size_t length = 0;
    for (size_t page = from; page < to; ++page) {
        length = window_used[page] ? 0 : length + 1;
        if (length == pages)
            return page + 1 - pages;
    }
    return layout::window_pages;
}

}  // namespace

uint64_t take_window(size_t pages)
{
    const Locked lock(memory_lock);
    if (pages == 0)
        return 0;
    size_t first = find_run(pages, window_hint, layout::window_pages);
    if (first == layout::window_pages)
        first = find_run(pages, 0, layout::window_pages);
    if (first == layout::window_pages)
        return 0;
    for (size_t i = 0; i < pages; ++i)
        if (!prepare_tables(window_address(first + i), take_table_page))
            return 0;
    for (size_t i = 0; i < pages; ++i)
        window_used.set(first + i);
    window_hint = (first + pages) % layout::window_pages;
    return window_address(first);
}

void give_window_back(uint64_t address, size_t pages)
{
    const Locked lock(memory_lock);
    const size_t first = (address - layout::window_base) >> layout::page_shift;
    for (size_t i = 0; i < pages; ++i)
        window_used.reset(first + i);
    if (first < window_hint)
        window_hint = first;
}

void* map_frame(Mfn frame, Rights rights, long& error)
{
    error = -XEN_ENOMEM;
    const uint64_t address = take_window(1);
    if (address == 0)
        return nullptr;
    error = set_mapping(address, PageEntry::page(frame, rights));
    if (error == 0)
        return reinterpret_cast<void*>(address);
    give_window_back(address, 1);
    return nullptr;
}

void* ring_page(uint64_t frame)
{
    if (hardware_guest == nullptr)
        return address_of(pfn_of(Mfn(frame)));
    long error = 0;
    void* at = map_frame(Mfn(frame), Rights::write, error);
    if (at == nullptr)
        fatal("no memory to map a ring");
    return at;
}

Result<std::span<std::byte>> map_shared_frame(uint64_t frame, Access access)
{
    long error = 0;
    void* at = map_frame(Mfn(frame), access == Access::writable ? Rights::write : Rights::read, error);
    if (at == nullptr)
        return failure(static_cast<Errno>(-error));
    return std::span(static_cast<std::byte*>(at), page_bytes);
}

// --- Persistent region ----------------------------------------------------------

// Pages of the memory that a node of the slice names; empty without it.
static PageRange named_pages(const char* name)
{
    const SliceNode node = slice().child(name);
    const uint64_t first = node.number("first-frame", 0);
    const uint64_t count = node.number("frames", 0);
    if (count == 0)
        return {};
    if (first >= start_info->nr_pages || count > start_info->nr_pages - first ||
        count > (layout::persistent_end - layout::persistent_base) >> layout::page_shift)
        fatal("the slice's %s region, %lu frames from frame %lu on, is outside of the memory", name, count, first);
    return {first, first + count};
}

PageRange persistent_pages() { return named_pages("persistent"); }

void map_persistent_pages(PageRange pages)
{
    for (uint64_t page = pages.first; page < pages.end; ++page) {
        const uint64_t address = layout::persistent_base + ((page - pages.first) << layout::page_shift);
        if (!prepare_tables(address, take_table_page) ||
            set_mapping(address, PageEntry::page(mfn_of(Pfn(page)), Rights::write)) != 0)
            fatal("the persistent region cannot be mapped");
    }
    persistent = {reinterpret_cast<std::byte*>(layout::persistent_base), pages.size() << layout::page_shift};
}

Result<std::span<std::byte>> persistent_region()
{
    if (persistent.empty())
        return failure(XEN_ENOENT);
    return persistent;
}

// --- Memory that devices reach ---------------------------------------------------

PageRange take_dma_pages(uint64_t free)
{
    const PageRange pages = named_pages("dma");
    if (pages.size() != 0 && pages.first < free)
        fatal("the slice's dma region begins at frame %lu, inside what the loader has used", pages.first);
    dma = {static_cast<std::byte*>(address_of(Pfn(pages.first))), pages.size() << layout::page_shift};
    return pages;
}

std::span<std::byte> dma_region() { return dma; }

uint64_t dma_address(const void* address)
{
    return machine_frame(address) << layout::page_shift | (reinterpret_cast<uint64_t>(address) & (page_bytes - 1));
}

uint64_t machine_frame(const void* address)
{
    const auto at = reinterpret_cast<uint64_t>(address);
    if (at < layout::linear_base || at >= layout::linear_end)
        return raw(frame_at(at));       // a stack, the persistent region
    return raw(mfn_of(pfn_of(address)));
}

}  // namespace bulkhead
