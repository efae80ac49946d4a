// SPDX-License-Identifier: BSD-2-Clause
// Nested page tables, with the entries of both vendors: the largest pages that fit, the hole below 4 GiB,
// pages that the guest places and takes away, and the way back to what start-up made.
#include "fake_core.hpp"

#include "core/frames.hpp"
#include "hvm/cpu/hardware_vcpu.hpp"

#include "hvm/cpu/nested_paging.cpp"

#include <memory>
#include <vector>

#include <CppUTest/TestHarness.h>

namespace bulkhead {

namespace fake {
inline std::vector<FrameRange> memory;      // of the one partition
inline unsigned largest_level;
inline VendorOperations operations;
}  // namespace fake

const VendorOperations* vendor_of_box = &fake::operations;
unsigned vendor_physical_bits() { return 40; }

Mfn initial_frame(const PvMemory& memory, Pfn pfn) { return initial_run(memory, pfn, 1).first; }

FrameRun initial_run(const PvMemory&, Pfn pfn, uint64_t most)
{
    uint64_t before = 0;
    for (const FrameRange& range : fake::memory) {
        const uint64_t within = pfn.raw() - before;
        if (within < range.count)
            return {range.first + within, std::min(most, range.count - within)};
        before += range.count;
    }
    return {invalid_mfn, 0};
}

}  // namespace bulkhead

using namespace bulkhead;

namespace {

// VT-x: read, write, execute; memory type write-back in leaves.
constexpr uint64_t ept_table = 7, ept_page = 0x37, ept_large = 0xB7;

VendorOperations entries(uint64_t table, uint64_t page, uint64_t large_page)
{
    VendorOperations made{};
    made.table_bits = table;
    made.page_bits = page;
    made.large_page_bits = large_page;
    made.largest_page_level = [] { return fake::largest_level; };
    return made;
}

}  // namespace

TEST_GROUP(NestedPaging)
{
    std::unique_ptr<Partition> partition = std::make_unique<Partition>();
    std::unique_ptr<HardwarePartition> hardware = std::make_unique<HardwarePartition>();
    std::unique_ptr<Vcpu[]> vcpus = std::make_unique<Vcpu[]>(2);
    std::unique_ptr<HardwareVcpu[]> hardware_vcpus = std::make_unique<HardwareVcpu[]>(2);
    plan::Partition plan{};
    std::vector<uint64_t> gfns = std::vector<uint64_t>(2);

    void setup() override
    {
        fake::reset_core();
        fake::operations = entries(ept_table, ept_page, ept_large);
        fake::largest_level = 2;
        partition->plan = &plan;
        partition->hardware = hardware.get();
        partition->vcpus = {vcpus.get(), 2};
        hardware->shared_gfns = gfns;
        for (unsigned i = 0; i < 2; ++i)
            vcpus[i].hardware = &hardware_vcpus[i];
    }

    void make(std::vector<FrameRange> memory)
    {
        fake::memory = std::move(memory);
        plan.memory_frames = 0;
        for (const FrameRange& range : fake::memory)
            plan.memory_frames += range.count;
        make_nested_tables(*partition);
    }

    // The entry that translates a frame number, and the level that it is on.
    std::pair<uint64_t, unsigned> entry(uint64_t gfn)
    {
        const auto* table = machine::frame_pointer<uint64_t>(hardware->nested_root);
        for (unsigned level = 3;; --level) {
            const uint64_t value = table[gfn >> (9 * level) & 511];
            if (value == 0 || level == 0 || (value & 0x80) != 0)
                return {value, level};
            CHECK_EQUAL(fake::operations.table_bits, value & 0xFFF);
            table = machine::frame_pointer<uint64_t>(frame_of(HostPhysical(value & 0x000F'FFFF'FFFF'F000)));
        }
    }
    uint64_t frame(uint64_t gfn) { return nested_lookup(*partition, gfn).raw(); }
};

TEST(NestedPaging, the_apics_page_is_the_plans_and_no_guest_moves_it)
{
    make({{Mfn(0x200), 0x400}});
    plan.flags = plan::apic_by_page;
    map_page_at_start(*partition, 0xF'EE00, Mfn(0x777));
    CHECK_EQUAL(0x777u, nested_lookup(*partition, 0xF'EE00).raw());
    CHECK_EQUAL(XEN_EINVAL, nested_place(*partition, 0xF'EE00, Mfn(0x999)).error());
    nested_reset(*partition);
    CHECK_EQUAL(0x777u, nested_lookup(*partition, 0xF'EE00).raw());
    plan.flags = 0;
    CHECK_TRUE(nested_place(*partition, 0xF'EE00, Mfn(0x999)).has_value());
}

TEST(NestedPaging, take_the_largest_pages_that_fit)
{
    make({{Mfn(0x40'0000), 0x40000}});
    CHECK_EQUAL(2u, entry(0).second);
    CHECK_EQUAL(0x4'0000'0000u | ept_large, entry(0).first);
    CHECK_EQUAL(0x43'FFFFu, frame(0x3'FFFF));
    CHECK_EQUAL(invalid_mfn.raw(), frame(0x4'0000));
}

TEST(NestedPaging, have_none_of_1_gib_where_the_cpu_has_not)
{
    fake::largest_level = 1;
    make({{Mfn(0x40'0000), 0x40000}});
    CHECK_EQUAL(1u, entry(0x1234).second);
    fake::largest_level = 0;
    make({{Mfn(0x40'0000), 0x400}});
    CHECK_EQUAL(0u, entry(0x123).second);
    CHECK_EQUAL(0x4'0012'3000u | ept_page, entry(0x123).first);
}

TEST(NestedPaging, go_down_to_4_kib_where_addresses_do_not_agree)
{
    make({{Mfn(0x1001), 0x300}});
    for (const uint64_t gfn : {0u, 0x1FFu, 0x200u, 0x2FFu}) {
        CHECK_EQUAL(0u, entry(gfn).second);
        CHECK_EQUAL(0x1001 + gfn, frame(gfn));
    }
}

TEST(NestedPaging, follow_memory_of_several_pieces)
{
    make({{Mfn(0x8000), 0x200}, {Mfn(0x5000), 0x400}});
    CHECK_EQUAL(0x81FFu, frame(0x1FF));
    CHECK_EQUAL(0x5000u, frame(0x200));
    CHECK_EQUAL(1u, entry(0x200).second);
    CHECK_EQUAL(0x53FFu, frame(0x5FF));
}

TEST(NestedPaging, leave_the_hole_below_4_gib_empty)
{
    make({{Mfn(0x40'0000), 0xF0000 + 0x1000}});
    CHECK_EQUAL(0x40'0000u + 0xE'FFFF, frame(0xE'FFFF));
    CHECK_EQUAL(invalid_mfn.raw(), frame(0xF'0000));
    CHECK_EQUAL(invalid_mfn.raw(), frame(0xF'EE00));
    CHECK_EQUAL(0x40'0000u + 0xF'0000, frame(0x10'0000));
    CHECK_EQUAL(invalid_mfn.raw(), frame(uint64_t{1} << 40));
}

TEST(NestedPaging, place_a_page_in_a_large_one_and_keep_its_neighbours)
{
    make({{Mfn(0x40'0000), 0x40000}});
    CHECK_TRUE(nested_place(*partition, 0x345, Mfn(0x999)).has_value());
    CHECK_EQUAL(0x999u, frame(0x345));
    CHECK_EQUAL(0x99'9000u | ept_page, entry(0x345).first);
    CHECK_EQUAL(0x40'0344u, frame(0x344));
    CHECK_EQUAL(0x40'0346u, frame(0x346));
    CHECK_EQUAL(1u, entry(0x600).second);
    CHECK_EQUAL(0x40'0600u, frame(0x600));
    for (unsigned i = 0; i < 2; ++i)
        CHECK_TRUE(hardware_vcpus[i].flush.load());
}

TEST(NestedPaging, give_ram_back_when_a_placed_page_goes_and_nothing_where_there_was_none)
{
    make({{Mfn(0x40'0000), 0x400}});
    CHECK_TRUE(nested_place(*partition, 0x10, Mfn(0x999)).has_value());
    CHECK_TRUE(nested_place(*partition, 0x10, invalid_mfn).has_value());
    CHECK_EQUAL(0x40'0010u, frame(0x10));
    CHECK_TRUE(nested_place(*partition, 0xF'F000, Mfn(0x999)).has_value());
    CHECK_EQUAL(0x999u, frame(0xF'F000));
    CHECK_TRUE(nested_place(*partition, 0xF'F000, invalid_mfn).has_value());
    CHECK_EQUAL(invalid_mfn.raw(), frame(0xF'F000));
}

TEST(NestedPaging, refuse_addresses_that_the_guest_cannot_have)
{
    make({{Mfn(0x40'0000), 0x400}});
    CHECK_EQUAL(XEN_EINVAL, nested_place(*partition, uint64_t{1} << 28, Mfn(0x999)).error());
}

TEST(NestedPaging, run_out_of_tables_without_harm)
{
    make({{Mfn(0x40'0000), 0x400}});
    unsigned placed = 0;
    while (nested_place(*partition, uint64_t{placed + 1} << 20, Mfn(0x999)).has_value())
        ++placed;
    CHECK_TRUE(placed > 0 && placed <= pool_tables);
    CHECK_EQUAL(XEN_ENOMEM, nested_place(*partition, uint64_t{placed + 2} << 20, Mfn(0x999)).error());
    CHECK_EQUAL(0x40'0123u, frame(0x123));
}

TEST(NestedPaging, are_again_what_start_up_made_after_a_reset)
{
    make({{Mfn(0x40'0000), 0x40000}});
    const auto before = entry(0);
    CHECK_TRUE(nested_place(*partition, 0x345, Mfn(0x999)).has_value());
    gfns[0] = 0x345 + 1;
    nested_reset(*partition);
    CHECK(before == entry(0));
    CHECK_EQUAL(0u, hardware->pool_used);
    CHECK_EQUAL(0u, gfns[0]);
    CHECK_EQUAL(0x40'0345u, frame(0x345));
}

TEST(NestedPaging, have_amd_vs_entries_there)
{
    fake::operations = entries(0x27, 0x67, 0xE7);
    make({{Mfn(0x40'0000), 0x201}});
    CHECK_EQUAL(0x4'0000'0000u | 0xE7, entry(0).first);
    CHECK_EQUAL(0x4'0020'0000u | 0x67, entry(0x200).first);
}
