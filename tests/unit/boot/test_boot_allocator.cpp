// SPDX-License-Identifier: BSD-2-Clause
// The start-up allocator, on a memory map that fits the arena of frames.
#include "core/boot_allocator.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>

#include "core/panic.hpp"

// A panic ends the allocation that it comes from: as an exception here.
namespace bulkhead {
[[noreturn]] void panic(const char* format, ...)
{
    char sentence[200];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    throw std::runtime_error(sentence);
}
}  // namespace bulkhead

#include "core/boot_allocator.cpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

namespace {
// The arena is frames 0x100 to 0x10ff: 1 MiB to 17 MiB.
constexpr uint64_t mib = 1 << 20;
}

TEST_GROUP(BootAllocator)
{
    std::unique_ptr<BootInfo> info = std::make_unique<BootInfo>();

    void setup() override
    {
        add(0, 0x9fc00, MemoryKind::usable);
        add(0xf0000, 0x10000, MemoryKind::reserved);
        add(1 * mib, 15 * mib, MemoryKind::usable);
        info->image_begin = HostPhysical(2 * mib);
        info->image_end = HostPhysical(4 * mib);
        std::memset(fake::arena, 0xee, sizeof(fake::arena));
    }
    void add(uint64_t base, uint64_t size, MemoryKind kind)
    {
        info->memory_map[info->memory_map_count++] = {HostPhysical(base), size, kind};
    }
    void start(uint64_t reachable = 16 * mib) { start_boot_allocator(*info, HostPhysical(reachable)); }
    static uint64_t free_frames()
    {
        uint64_t sum = 0;
        for (const FrameRange& range : free_memory())
            sum += range.count;
        return sum;
    }
};

TEST(BootAllocator, leaves_out_low_memory_and_the_image)
{
    start();
    LONGS_EQUAL(2, free_memory().size());
    UNSIGNED_LONGLONGS_EQUAL(0x100, free_memory()[0].first.raw());
    UNSIGNED_LONGLONGS_EQUAL(0x100, free_memory()[0].count);
    UNSIGNED_LONGLONGS_EQUAL(0x400, free_memory()[1].first.raw());
    UNSIGNED_LONGLONGS_EQUAL(0xc00, free_memory()[1].count);
}

TEST(BootAllocator, rounds_usable_ranges_inwards)
{
    info->memory_map_count = 0;
    add(5 * mib + 1, 2 * page_size, MemoryKind::usable);
    start();
    LONGS_EQUAL(1, free_memory().size());
    UNSIGNED_LONGLONGS_EQUAL(0x501, free_memory()[0].first.raw());
    UNSIGNED_LONGLONGS_EQUAL(1, free_memory()[0].count);
}

TEST(BootAllocator, hands_out_zeroed_aligned_memory)
{
    start();
    auto* first = static_cast<uint8_t*>(boot_allocate(3 * page_size, 0x10000));
    UNSIGNED_LONGLONGS_EQUAL(0, machine::physical_of(first).raw() % 0x10000);
    for (size_t i = 0; i < 3 * page_size; ++i)
        BYTES_EQUAL(0, first[i]);
    UNSIGNED_LONGLONGS_EQUAL(3 * page_size, boot_allocated_bytes());
}

TEST(BootAllocator, puts_small_pieces_into_one_frame)
{
    start();
    const uint64_t before = free_frames();
    auto* a = static_cast<char*>(boot_allocate(10, 1));
    auto* b = static_cast<char*>(boot_allocate(8, 64));
    POINTERS_EQUAL(a + 64, b);
    UNSIGNED_LONGLONGS_EQUAL(before - 1, free_frames());
    static_cast<void>(boot_allocate(4032, 8));
    UNSIGNED_LONGLONGS_EQUAL(before - 2, free_frames());
}

TEST(BootAllocator, does_not_waste_what_an_alignment_skips)
{
    start();
    const uint64_t before = free_frames();
    static_cast<void>(boot_allocate_frame());
    static_cast<void>(boot_allocate(2 * mib, 2 * mib));
    UNSIGNED_LONGLONGS_EQUAL(before - 1 - 512, free_frames());
}

TEST(BootAllocator, stays_below_what_can_be_reached)
{
    start(4 * mib);
    CHECK_THROWS(std::runtime_error, static_cast<void>(boot_allocate(2 * mib, page_size)));
    boot_allocator_reach_all();
    CHECK(boot_allocate(2 * mib, page_size) != nullptr);
}

TEST(BootAllocator, panics_when_there_is_no_memory_left)
{
    start();
    CHECK_THROWS(std::runtime_error, static_cast<void>(boot_allocate(13 * mib, page_size)));
    for (uint64_t i = free_frames(); i > 0; --i)
        static_cast<void>(boot_allocate_frame());
    CHECK_THROWS(std::runtime_error, static_cast<void>(boot_allocate_frame()));
}

TEST(BootAllocator, panics_after_it_was_closed)
{
    start();
    close_boot_allocator();
    CHECK_THROWS(std::runtime_error, static_cast<void>(boot_allocate(1, 1)));
}

TEST(BootAllocator, gives_up_exactly_the_frames_that_are_taken)
{
    start();
    const uint64_t before = free_frames();
    CHECK_TRUE(take_free_memory({Mfn(0x500), 0x10}));
    UNSIGNED_LONGLONGS_EQUAL(before - 0x10, free_frames());
    LONGS_EQUAL(3, free_memory().size());
    CHECK_FALSE(take_free_memory({Mfn(0x50f), 2}));         // the first one is taken
    CHECK_FALSE(take_free_memory({Mfn(0x3ff), 2}));         // the image's
    CHECK_FALSE(take_free_memory({Mfn(0xfff), 2}));         // beyond the end
    CHECK_FALSE(take_free_memory({Mfn(0x600), 0}));
    CHECK_FALSE(take_free_memory({Mfn(0x600), ~uint64_t{0}}));
    UNSIGNED_LONGLONGS_EQUAL(before - 0x10, free_frames());
    CHECK_TRUE(take_free_memory({Mfn(0x510), 0x1000 - 0x510}));
    CHECK_TRUE(take_free_memory({Mfn(0x400), 0x100}));
    LONGS_EQUAL(1, free_memory().size());
}
