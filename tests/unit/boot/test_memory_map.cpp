// SPDX-License-Identifier: BSD-2-Clause
// One sorted memory map without overlaps, whatever a firmware lists.
#include "boot/memory_map.hpp"

#include "boot/memory_map.cpp"

#include <memory>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

TEST_GROUP(MemoryMap)
{
    boot::MemoryMap map;
    std::unique_ptr<BootInfo> info = std::make_unique<BootInfo>();

    void expect(uint32_t index, uint64_t base, uint64_t size, MemoryKind kind)
    {
        CHECK(index < info->memory_map_count);
        UNSIGNED_LONGLONGS_EQUAL(base, info->memory_map[index].base.raw());
        UNSIGNED_LONGLONGS_EQUAL(size, info->memory_map[index].size_bytes);
        CHECK(kind == info->memory_map[index].kind);
    }
};

TEST(MemoryMap, is_empty_when_nothing_is_listed)
{
    map.finish(*info);
    LONGS_EQUAL(0, info->memory_map_count);
    CHECK_FALSE(info->memory_map_truncated);
}

TEST(MemoryMap, is_sorted_by_base)
{
    map.add(0x100000, 0x1000, 1);
    map.add(0x0, 0x9f000, 1);
    map.add(0xf0000, 0x10000, 2);
    map.finish(*info);
    LONGS_EQUAL(3, info->memory_map_count);
    expect(0, 0x0, 0x9f000, MemoryKind::usable);
    expect(1, 0xf0000, 0x10000, MemoryKind::reserved);
    expect(2, 0x100000, 0x1000, MemoryKind::usable);
}

TEST(MemoryMap, joins_neighbours_of_one_kind)
{
    map.add(0x1000, 0x1000, 1);
    map.add(0x2000, 0x1000, 1);
    map.finish(*info);
    LONGS_EQUAL(1, info->memory_map_count);
    expect(0, 0x1000, 0x2000, MemoryKind::usable);
}

TEST(MemoryMap, lets_the_entry_win_that_forbids_more)
{
    map.add(0x0, 0x10000, 1);
    map.add(0x4000, 0x2000, 2);
    map.add(0x5000, 0x4000, 3);
    map.finish(*info);
    LONGS_EQUAL(4, info->memory_map_count);
    expect(0, 0x0, 0x4000, MemoryKind::usable);
    expect(1, 0x4000, 0x2000, MemoryKind::reserved);
    expect(2, 0x6000, 0x3000, MemoryKind::acpi_reclaimable);
    expect(3, 0x9000, 0x7000, MemoryKind::usable);
}

TEST(MemoryMap, counts_unknown_types_as_reserved)
{
    map.add(0x0, 0x1000, 7);
    map.add(0x1000, 0x1000, 0);
    map.add(0x2000, 0x1000, 5);
    map.finish(*info);
    LONGS_EQUAL(2, info->memory_map_count);
    expect(0, 0x0, 0x2000, MemoryKind::reserved);
    expect(1, 0x2000, 0x1000, MemoryKind::bad);
}

TEST(MemoryMap, ignores_empty_entries)
{
    map.add(0x1000, 0, 1);
    map.finish(*info);
    LONGS_EQUAL(0, info->memory_map_count);
}

TEST(MemoryMap, cuts_an_entry_that_wraps_around)
{
    map.add(~uint64_t{0} - 0xfff, 0x10000, 2);
    map.finish(*info);
    LONGS_EQUAL(1, info->memory_map_count);
    expect(0, ~uint64_t{0} - 0xfff, 0xfff, MemoryKind::reserved);
}

TEST(MemoryMap, says_so_when_more_is_listed_than_fits)
{
    for (uint64_t i = 0; i < 300; ++i)
        map.add(i * 0x2000, 0x1000, 1);
    map.finish(*info);
    CHECK(info->memory_map_truncated);
    LONGS_EQUAL(256, info->memory_map_count);
    expect(255, 255 * 0x2000, 0x1000, MemoryKind::usable);
}

TEST(MemoryMap, says_so_when_overlaps_split_into_more_than_fits)
{
    map.add(0, 0x100000000, 1);
    for (uint64_t i = 0; i < 200; ++i)
        map.add(i * 0x10000 + 0x1000, 0x1000, 2);
    map.finish(*info);
    CHECK(info->memory_map_truncated);
    LONGS_EQUAL(256, info->memory_map_count);
}
