// SPDX-License-Identifier: BSD-2-Clause
// Expected numbers: the rules of xen.h, "Start-of-day memory layout", worked out by hand.
#include "boot/plan/pv_layout.hpp"

#include "boot/plan/pv_layout.cpp"
#include "boot/plan/text.cpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::tool;
using bulkhead::plan::no_pfn;

namespace {

constexpr uint64_t mib_frames = 256;

Kernel linux_like(uint64_t end_pfn = 0x3e00)
{
    Kernel kernel;
    kernel.virt_base = 0xffffffff80000000;
    kernel.entry = kernel.virt_base + 0x1000000;
    kernel.end_pfn = end_pfn;
    kernel.notes.mod_start_pfn = true;
    kernel.notes.init_p2m = 0x8000000000;
    kernel.notes.required_features = 1;
    return kernel;
}

Kernel plain(uint64_t end_pfn = 10)
{
    Kernel kernel;
    kernel.end_pfn = end_pfn;
    return kernel;
}

}  // namespace

TEST_GROUP(PvLayout) {};

TEST(PvLayout, page_tables_are_counted_by_the_spans_that_they_map)
{
    const auto one = tables_for(0, 0x400000);
    LONGS_EQUAL(1, one.l3);
    LONGS_EQUAL(1, one.l2);
    LONGS_EQUAL(2, one.l1);
    const auto across = tables_for(0x3fffffff, 0x40000001);
    LONGS_EQUAL(1, across.l3);
    LONGS_EQUAL(2, across.l2);
    LONGS_EQUAL(2, across.l1);
    LONGS_EQUAL(0, tables_for(0x1000, 0x1000).sum());
}

// 64 MiB map in 32 L1 tables, with one L2, L3 and L4: 35 frames.
TEST(PvLayout, linux_has_its_ramdisk_and_p2m_list_behind_the_mapped_region)
{
    const auto layout = lay_out_pv(linux_like(), {5000, 256 * mib_frames, false}).value();
    const auto& pv = layout.start;
    CHECK(pv.start_info_pfn == 0x3e00);
    CHECK(pv.store_pfn == no_pfn);
    CHECK(pv.console_pfn == 0x3e01);
    CHECK(pv.tables_pfn == 0x3e02);
    LONGS_EQUAL(35, pv.tables_frames);
    CHECK(pv.stack_pfn == 0x3e02 + 35);
    CHECK(pv.mapped_end_pfn == 0x4000);
    CHECK(pv.ramdisk_pfn == 0x4000);
    LONGS_EQUAL(1, pv.ramdisk_by_pfn);
    CHECK(pv.p2m_base == 0x8000000000);
    CHECK(pv.p2m_pfn == 0x4002);
    LONGS_EQUAL(128, pv.p2m_frames);
    CHECK(pv.p2m_tables_pfn == 0x4002 + 128);
    LONGS_EQUAL(3, pv.p2m_tables_frames);
    CHECK(layout.used_frames == 0x4002 + 128 + 3);
    CHECK(pv.features == 1);
    CHECK(pv.hypercall_page == ~uint64_t{0});
}

TEST(PvLayout, without_the_notes_everything_is_mapped_in_the_order_of_the_abi)
{
    const auto pv = lay_out_pv(plain(), {4097, 64 * mib_frames, true}).value().start;
    CHECK(pv.ramdisk_pfn == 10);
    LONGS_EQUAL(0, pv.ramdisk_by_pfn);
    CHECK(pv.p2m_base == 0);
    CHECK(pv.p2m_pfn == 12);
    LONGS_EQUAL(32, pv.p2m_frames);
    LONGS_EQUAL(0, pv.p2m_tables_frames);
    CHECK(pv.start_info_pfn == 44);
    CHECK(pv.store_pfn == 45);
    CHECK(pv.console_pfn == 46);
    CHECK(pv.tables_pfn == 47);
    LONGS_EQUAL(5, pv.tables_frames);
    CHECK(pv.stack_pfn == 52);
    CHECK(pv.mapped_end_pfn == 1024);
}

TEST(PvLayout, a_kernel_without_a_ramdisk_has_none)
{
    const auto pv = lay_out_pv(linux_like(), {0, 256 * mib_frames, false}).value().start;
    CHECK(pv.ramdisk_pfn == no_pfn);
    LONGS_EQUAL(0, pv.ramdisk_by_pfn);
    CHECK(pv.p2m_pfn == 0x4000);
}

TEST(PvLayout, half_a_mebibyte_of_room_may_cost_four_more)
{
    // start info, console, 5 tables and the stack end 128 frames before the boundary: that fits.
    const auto fits = lay_out_pv(plain(1024 - 128 - 8 - 32), {0, 64 * mib_frames, false}).value().start;
    CHECK(fits.stack_pfn == 1024 - 128 - 1);
    CHECK(fits.mapped_end_pfn == 1024);
    // One frame more, and the next boundary is taken, with two more tables.
    const auto next = lay_out_pv(plain(1024 - 128 - 8 - 32 + 1), {0, 64 * mib_frames, false}).value().start;
    CHECK(next.mapped_end_pfn == 2048);
    LONGS_EQUAL(7, next.tables_frames);
}

TEST(PvLayout, the_boundary_is_one_of_virtual_addresses)
{
    Kernel kernel = plain();
    kernel.virt_base = 0x100000;
    const auto pv = lay_out_pv(kernel, {0, 64 * mib_frames, false}).value().start;
    CHECK(pv.mapped_end_pfn == 0x300);
}

TEST(PvLayout, a_p2m_address_above_the_kernel_or_off_a_page_is_not_used)
{
    Kernel kernel = linux_like();
    kernel.notes.init_p2m = kernel.virt_base + 0x80000000 - 0x1000;
    CHECK(lay_out_pv(kernel, {0, 256 * mib_frames, false})->start.p2m_base == 0);
    kernel.notes.init_p2m = 0x8000000800;
    CHECK(lay_out_pv(kernel, {0, 256 * mib_frames, false})->start.p2m_base == 0);
}

TEST(PvLayout, a_p2m_list_shares_tables_with_the_initial_mapping_where_it_can)
{
    Kernel kernel = plain();
    kernel.virt_base = 0x40000000;
    kernel.notes.init_p2m = 0x20000000;
    // The same L3 and L2 serve both regions... not the same L2: they lie in different GiB.
    LONGS_EQUAL(2, lay_out_pv(kernel, {0, 64 * mib_frames, false})->start.p2m_tables_frames);
    kernel.virt_base = 0x30000000;
    LONGS_EQUAL(1, lay_out_pv(kernel, {0, 64 * mib_frames, false})->start.p2m_tables_frames);
}

TEST(PvLayout, a_p2m_list_that_would_run_into_the_kernel_or_the_hypervisor_is_refused)
{
    Kernel kernel = plain();
    kernel.virt_base = 0x40000000;
    kernel.notes.init_p2m = 0x40000000 - 0x1000;
    CHECK_FALSE(lay_out_pv(kernel, {0, 64 * mib_frames, false}));
    Kernel linux_kernel = linux_like();
    linux_kernel.notes.init_p2m = 0xffff800000000000;
    CHECK_FALSE(lay_out_pv(linux_kernel, {0, 64 * mib_frames, false}));
    linux_kernel.notes.init_p2m = 0x800000000000;
    CHECK_FALSE(lay_out_pv(linux_kernel, {0, 64 * mib_frames, false}));
}

TEST(PvLayout, a_kernel_in_the_hypervisors_range_or_at_the_very_top_is_refused)
{
    Kernel kernel = plain();
    kernel.virt_base = 0xffff800000000000;
    CHECK_FALSE(lay_out_pv(kernel, {0, 64 * mib_frames, false}));
    kernel.virt_base = 0x800000000000;
    CHECK_FALSE(lay_out_pv(kernel, {0, 64 * mib_frames, false}));
    kernel.virt_base = 0xffffffffffc00000;
    CHECK_FALSE(lay_out_pv(kernel, {0, 64 * mib_frames, false}));
    kernel.virt_base = 0;
    kernel.end_pfn = ~uint64_t{0} >> 12;
    CHECK_FALSE(lay_out_pv(kernel, {0, 64 * mib_frames, false}));
}

TEST(PvLayout, a_services_mapping_ends_where_its_special_frames_begin)
{
    const Kernel kernel = plain();
    const auto whole = lay_out_pv(kernel, {0, 4 * mib_frames, false})->start;
    uint64_t limited = 0;
    // The ABI's 512 KiB stay, or the layout is as without the limit and does not fit.
    for (uint64_t limit = 0; limit <= whole.mapped_end_pfn; ++limit) {
        const auto layout = lay_out_pv(kernel, {0, 4 * mib_frames, false, limit}).value();
        const bool fits = layout.start.mapped_end_pfn == limit;
        CHECK(fits || layout.start.mapped_end_pfn == whole.mapped_end_pfn);
        CHECK(!fits || layout.start.stack_pfn + 1 + mib_frames / 2 <= limit);
        CHECK(layout.used_frames == layout.start.mapped_end_pfn);
        CHECK(fits || limited == 0);
        limited += fits ? 1 : 0;
    }
    CHECK(limited > whole.mapped_end_pfn - mib_frames);
    for (const uint64_t limit : {whole.mapped_end_pfn + 1, bulkhead::plan::no_pfn})
        UNSIGNED_LONGLONGS_EQUAL(whole.mapped_end_pfn,
                                 lay_out_pv(kernel, {0, 4 * mib_frames, false, limit})->start.mapped_end_pfn);
}

TEST(PvLayout, the_least_memory_is_the_least_that_holds_its_own_list)
{
    for (const uint64_t ramdisk : {uint64_t{0}, uint64_t{10} << 20}) {
        const Kernel kernel = linux_like();
        const uint64_t least = least_memory_frames(kernel, {ramdisk, 0, false}).value();
        CHECK(lay_out_pv(kernel, {ramdisk, least, false})->used_frames <= least);
        CHECK(lay_out_pv(kernel, {ramdisk, least - 1, false})->used_frames > least - 1);
    }
}
