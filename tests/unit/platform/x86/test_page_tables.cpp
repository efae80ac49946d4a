// SPDX-License-Identifier: BSD-2-Clause
// The builder of the core's page tables, on an arena of frames.
#include "platform/x86/page_tables.hpp"

#include "fake_core.hpp"

#include "platform/x86/page_tables.cpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

namespace {
constexpr uint64_t base = 0xFFFF'8300'0000'0000;
constexpr uint64_t mib = 1 << 20;
constexpr uint64_t gib = 1 << 30;
constexpr uint64_t slot = uint64_t{1} << 39;
}

TEST_GROUP(PageTables)
{
    CoreTables tables;

    void setup() override
    {
        fake::reset_core();
        tables.create();
    }
    uint64_t physical(uint64_t address)
    {
        const CoreTables::Translation found = tables.translate(address);
        CHECK(found.entry != 0);
        const uint64_t in_page = address & ((uint64_t{1} << found.shift) - 1);
        return (found.entry & page_address_bits & ~((uint64_t{1} << found.shift) - 1)) | in_page;
    }
};

TEST(PageTables, translate_what_was_mapped_and_nothing_else)
{
    tables.map(base, HostPhysical(0x7000), 2 * page_size, page_writable, shift_1g);
    UNSIGNED_LONGLONGS_EQUAL(0x7123, physical(base + 0x123));
    UNSIGNED_LONGLONGS_EQUAL(0x8fff, physical(base + 0x1fff));
    UNSIGNED_LONGLONGS_EQUAL(0, tables.translate(base + 0x2000).entry);
    UNSIGNED_LONGLONGS_EQUAL(0, tables.translate(base - 1).entry);
}

TEST(PageTables, use_the_largest_pages_that_fit)
{
    tables.map(base, HostPhysical(0), 2 * gib + 2 * mib + page_size, page_writable, shift_1g);
    LONGS_EQUAL(shift_1g, tables.translate(base + gib).shift);
    LONGS_EQUAL(shift_2m, tables.translate(base + 2 * gib).shift);
    LONGS_EQUAL(shift_4k, tables.translate(base + 2 * gib + 2 * mib).shift);
    UNSIGNED_LONGLONGS_EQUAL(2 * gib + 2 * mib, physical(base + 2 * gib + 2 * mib));
}

TEST(PageTables, use_no_larger_pages_than_allowed)
{
    tables.map(base, HostPhysical(0), gib, page_writable, shift_2m);
    LONGS_EQUAL(shift_2m, tables.translate(base).shift);
}

TEST(PageTables, use_small_pages_where_address_and_frame_are_out_of_step)
{
    tables.map(base, HostPhysical(page_size), 4 * mib, page_writable, shift_1g);
    LONGS_EQUAL(shift_4k, tables.translate(base + 2 * mib).shift);
    UNSIGNED_LONGLONGS_EQUAL(2 * mib + page_size, physical(base + 2 * mib));
}

TEST(PageTables, carry_the_rights_in_the_last_level)
{
    tables.map(base, HostPhysical(0), page_size, page_global | page_no_execute, shift_4k);
    tables.map(base + page_size, HostPhysical(0x1000), page_size, page_writable, shift_4k);
    UNSIGNED_LONGLONGS_EQUAL(page_no_execute, tables.translate(base).rights);
    UNSIGNED_LONGLONGS_EQUAL(page_writable, tables.translate(base + page_size).rights);
    // The CPU has no reason to write to the tables.
    CHECK((tables.translate(base).entry & (page_accessed | page_dirty)) == (page_accessed | page_dirty));
}

TEST(PageTables, fill_whole_slots_with_one_frame_in_three_tables)
{
    const Mfn shown = boot_allocate_frame();
    const uint64_t before = fake::arena_used;
    tables.fill(base, 2 * slot, shown, page_user | page_no_execute);
    UNSIGNED_LONGLONGS_EQUAL(before + 3, fake::arena_used);
    UNSIGNED_LONGLONGS_EQUAL(address_of(shown).raw() + 0x10, physical(base + 0x123'4567'8010 % slot));
    UNSIGNED_LONGLONGS_EQUAL(page_user | page_no_execute, tables.translate(base + 2 * slot - 8).rights);
    CHECK_TRUE(tables.is_filled(base + slot));
    UNSIGNED_LONGLONGS_EQUAL(0, tables.translate(base + 2 * slot).entry);
}

TEST(PageTables, place_a_frame_in_one_place_of_what_was_filled)
{
    tables.fill(base, slot, boot_allocate_frame(), page_no_execute);
    const Mfn own = boot_allocate_frame();
    tables.place(base + 5 * gib, own, page_writable | page_no_execute, shift_4k);
    UNSIGNED_LONGLONGS_EQUAL(address_of(own).raw(), physical(base + 5 * gib));
    CHECK((tables.translate(base + 5 * gib).rights & page_writable) != 0);
    CHECK_FALSE(tables.is_filled(base + 5 * gib));
    CHECK_TRUE(tables.is_filled(base + 5 * gib + page_size));
    CHECK_TRUE(tables.is_filled(base + 5 * gib + 2 * mib));
    CHECK_TRUE(tables.is_filled(base + 6 * gib));
    CHECK_TRUE(tables.is_filled(base));
}

TEST(PageTables, place_a_large_page_only_where_nothing_was_placed)
{
    tables.fill(base, slot, boot_allocate_frame(), page_no_execute);
    CHECK_TRUE(tables.nothing_placed(base, shift_2m));
    tables.place(base + page_size, boot_allocate_frame(), page_writable, shift_4k);
    CHECK_FALSE(tables.nothing_placed(base, shift_2m));
    CHECK_TRUE(tables.nothing_placed(base, shift_4k));
    CHECK_FALSE(tables.nothing_placed(base + page_size, shift_4k));
    CHECK_TRUE(tables.nothing_placed(base + 2 * mib, shift_2m));
    tables.place(base + 2 * mib, Mfn(0x200), page_writable, shift_2m);
    CHECK_FALSE(tables.nothing_placed(base + 2 * mib, shift_2m));
    CHECK_FALSE(tables.nothing_placed(base + 2 * mib + page_size, shift_4k));
    LONGS_EQUAL(shift_2m, tables.translate(base + 2 * mib).shift);
}

TEST(PageTables, keep_filled_regions_apart)
{
    const Mfn zeros = boot_allocate_frame();
    const Mfn ones = boot_allocate_frame();
    tables.fill(base, slot, zeros, page_no_execute);
    tables.fill(base + slot, slot, ones, page_no_execute);
    tables.place(base, boot_allocate_frame(), page_writable, shift_4k);
    UNSIGNED_LONGLONGS_EQUAL(address_of(ones).raw(), physical(base + slot));
    UNSIGNED_LONGLONGS_EQUAL(address_of(zeros).raw(), physical(base + page_size));
}

TEST(PageTables, hand_out_entries_of_tables_that_they_make)
{
    uint64_t* entry = tables.entry(base + 3 * page_size, shift_4k);
    UNSIGNED_LONGLONGS_EQUAL(0, *entry);
    *entry = 0x5000 | page_present;
    UNSIGNED_LONGLONGS_EQUAL(0x5000, physical(base + 3 * page_size));
    POINTERS_EQUAL(entry, tables.entry(base + 3 * page_size, shift_4k));
}
