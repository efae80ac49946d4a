// SPDX-License-Identifier: BSD-2-Clause
// First fit over a short list of free ranges, from low addresses up. Small pieces share a frame.
#include "core/boot_allocator.hpp"

#include "core/panic.hpp"
#include "machine/memory.hpp"

#include <array>
#include <cstring>

namespace bulkhead {

namespace {

constexpr uint64_t low_memory_end = 0x10'0000;
// What the direct map can hold.
constexpr uint64_t mappable_bytes = layout::direct_map_end - layout::direct_map;

struct BootAllocator {
    std::array<FrameRange, 320> ranges{};
    uint32_t count{0};
    Mfn reachable{0};
    bool open{false};
    uint64_t allocated_bytes{0};
    uint64_t small_at{0};           // physical address of the next small piece, 0: none begun
    uint64_t small_end{0};

    void add(uint64_t begin, uint64_t end);
    void cut(uint32_t index, Mfn first, uint64_t frames);
    bool take(uint64_t frames, uint64_t alignment_frames, Mfn& first);
};
constinit BootAllocator allocator{};

// Whole frames of a byte range, without the first MiB. A range that no longer fits the list is not used.
void BootAllocator::add(uint64_t begin, uint64_t end)
{
    begin = align_up(begin < low_memory_end ? low_memory_end : begin, page_size);
    end = (end > mappable_bytes ? mappable_bytes : end) & ~page_mask;
    if (begin >= end || count == ranges.size())
        return;
    ranges[count++] = {frame_of(HostPhysical(begin)), (end - begin) >> page_shift};
}

// Removes frames from the range that holds them; what is left are no, one or two ranges. When the
// list is full the upper rest is lost.
void BootAllocator::cut(uint32_t index, Mfn first, uint64_t frames)
{
    const FrameRange whole = ranges[index];
    const uint64_t below = first - whole.first;
    const uint64_t above = whole.count - below - frames;
    if (below == 0 && above == 0) {
        for (uint32_t i = index; i + 1 < count; ++i)
            ranges[i] = ranges[i + 1];
        --count;
        return;
    }
    if (below == 0) {
        ranges[index] = {first + frames, above};
        return;
    }
    ranges[index].count = below;
    if (above == 0 || count == ranges.size())
        return;
    for (uint32_t i = count; i > index + 1; --i)
        ranges[i] = ranges[i - 1];
    ranges[index + 1] = {first + frames, above};
    ++count;
}

bool BootAllocator::take(uint64_t frames, uint64_t alignment_frames, Mfn& first)
{
    for (uint32_t i = 0; i < count; ++i) {
        const FrameRange& range = ranges[i];
        const Mfn at(align_up(range.first.raw(), alignment_frames));
        const uint64_t skipped = at - range.first;
        if (skipped >= range.count || range.count - skipped < frames)
            continue;
        if (at + frames > reachable)
            return false;
        cut(i, at, frames);
        first = at;
        return true;
    }
    return false;
}

void* take_frames(size_t bytes, size_t alignment)
{
    const uint64_t frames = frames_for(bytes);
    Mfn first;
    if (!allocator.take(frames, frames_for(alignment), first))
        panic("not enough memory: no %zu bytes left for the core's tables", bytes);
    void* memory = machine::frame_pointer(first);
    memset(memory, 0, frames << page_shift);
    allocator.allocated_bytes += frames << page_shift;
    return memory;
}

void* take_small(size_t bytes, size_t alignment)
{
    uint64_t at = align_up(allocator.small_at, alignment);
    if (allocator.small_at == 0 || at + bytes > allocator.small_end) {
        at = machine::physical_of(take_frames(page_size, page_size)).raw();
        allocator.small_end = at + page_size;
    }
    allocator.small_at = at + bytes;
    return machine::physical_pointer(HostPhysical(at));
}

}  // namespace

void start_boot_allocator(const BootInfo& info, HostPhysical reachable)
{
    allocator = BootAllocator{};
    allocator.reachable = frame_of(reachable);
    allocator.open = true;
    for_usable_memory(info, [](uint64_t begin, uint64_t end) { allocator.add(begin, end); });
}

void boot_allocator_reach_all() { allocator.reachable = Mfn(mappable_bytes >> page_shift); }

void* boot_allocate(size_t bytes, size_t alignment)
{
    if (!allocator.open)
        panic("allocation of %zu bytes after the core's start", bytes);
    if (bytes == 0)
        bytes = 1;
    if (bytes < page_size && alignment < page_size)
        return take_small(bytes, alignment);
    return take_frames(bytes, alignment);
}

Mfn boot_allocate_frame()
{
    return frame_of(machine::physical_of(boot_allocate(page_size, page_size)));
}

std::span<const FrameRange> free_memory()
{
    return std::span<const FrameRange>(allocator.ranges).first(allocator.count);
}

bool take_free_memory(FrameRange range)
{
    for (uint32_t i = 0; i < allocator.count; ++i) {
        const FrameRange& free = allocator.ranges[i];
        if (range.first < free.first || range.first - free.first >= free.count)
            continue;
        if (range.count == 0 || range.count > free.count - (range.first - free.first))
            return false;
        allocator.cut(i, range.first, range.count);
        return true;
    }
    return false;
}

void close_boot_allocator() { allocator.open = false; }
uint64_t boot_allocated_bytes() { return allocator.allocated_bytes; }

}  // namespace bulkhead
