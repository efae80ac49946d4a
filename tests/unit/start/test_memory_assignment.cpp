// SPDX-License-Identifier: BSD-2-Clause
// Where partitions' memory comes from.
#include "core/memory_assignment.hpp"

#include "core/memory_assignment.cpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

using Pieces = std::array<FrameRange, plan::max_memory_ranges>;

TEST_GROUP(MemoryAssignment) {};

TEST(MemoryAssignment, takes_from_the_top_of_the_smallest_range_that_fits)
{
    const FrameRange ranges[] = {{Mfn(0x1000), 0x8000}, {Mfn(0x100000), 0x4000}};
    FreeMemory memory(ranges);
    Pieces pieces{};
    LONGS_EQUAL(1, memory.take(0x1000, pieces));
    UNSIGNED_LONGLONGS_EQUAL(0x103000, pieces[0].first.raw());
    UNSIGNED_LONGLONGS_EQUAL(0x1000, pieces[0].count);
    UNSIGNED_LONGLONGS_EQUAL(0xB000, memory.total_frames());
}

TEST(MemoryAssignment, aligns_the_base_to_two_mebibytes_where_there_is_room)
{
    const FrameRange ranges[] = {{Mfn(0x1000), 0x8123}};
    FreeMemory memory(ranges);
    Pieces pieces{};
    LONGS_EQUAL(1, memory.take(0x1001, pieces));
    UNSIGNED_LONGLONGS_EQUAL(0, pieces[0].first.raw() % 512);
    UNSIGNED_LONGLONGS_EQUAL(0x8123 - 0x1001, memory.total_frames());
}

TEST(MemoryAssignment, joins_the_largest_ranges_when_none_fits_and_returns_them_in_order)
{
    const FrameRange ranges[] = {{Mfn(0x1000), 0x100}, {Mfn(0x2000), 0x300}, {Mfn(0x3000), 0x200}};
    FreeMemory memory(ranges);
    Pieces pieces{};
    LONGS_EQUAL(2, memory.take(0x500, pieces));
    UNSIGNED_LONGLONGS_EQUAL(0x2000, pieces[0].first.raw());
    UNSIGNED_LONGLONGS_EQUAL(0x3000, pieces[1].first.raw());
    UNSIGNED_LONGLONGS_EQUAL(0x100, memory.total_frames());
}

TEST(MemoryAssignment, takes_nothing_when_it_does_not_fit)
{
    const FrameRange ranges[] = {{Mfn(0x1000), 0x100}};
    FreeMemory memory(ranges);
    Pieces pieces{};
    LONGS_EQUAL(0, memory.take(0x101, pieces));
    UNSIGNED_LONGLONGS_EQUAL(0x100, memory.total_frames());
}

TEST(MemoryAssignment, takes_nothing_when_more_pieces_are_needed_than_a_partition_may_have)
{
    FrameRange ranges[10];
    for (unsigned i = 0; i < 10; ++i)
        ranges[i] = {Mfn(0x1000 + i * 0x100), 0x10};
    FreeMemory memory(ranges);
    Pieces pieces{};
    LONGS_EQUAL(0, memory.take(0x90, pieces));
    LONGS_EQUAL(10, static_cast<long>(memory.ranges().size()));
}

TEST(MemoryAssignment, fixed_ranges_split_what_is_free)
{
    const FrameRange ranges[] = {{Mfn(0x1000), 0x1000}};
    FreeMemory memory(ranges);
    CHECK_TRUE(memory.take_fixed({Mfn(0x1800), 0x100}));
    LONGS_EQUAL(2, static_cast<long>(memory.ranges().size()));
    UNSIGNED_LONGLONGS_EQUAL(0x800, memory.ranges()[0].count);
    UNSIGNED_LONGLONGS_EQUAL(0x1900, memory.ranges()[1].first.raw());
    CHECK_FALSE(memory.take_fixed({Mfn(0x1880), 0x10}));
    CHECK_TRUE(memory.take_fixed({Mfn(0x1000), 0x800}));
    LONGS_EQUAL(1, static_cast<long>(memory.ranges().size()));
}

TEST(MemoryAssignment, counts_ranges_that_it_cannot_hold)
{
    FrameRange ranges[FreeMemory::max_ranges + 1];
    for (unsigned i = 0; i <= FreeMemory::max_ranges; ++i)
        ranges[i] = {Mfn(i * 16), 4};
    const FreeMemory memory(ranges);
    UNSIGNED_LONGLONGS_EQUAL(4, memory.dropped_frames());
}
