// SPDX-License-Identifier: BSD-2-Clause
// The firmware's tables of IOMMUs, whole and damaged, and page tables of units page by page.
#include "platform/x86/dmar.hpp"
#include "platform/x86/ivrs.hpp"

#include "tests/unit/fakes/fake_core.hpp"

#include "platform/x86/dmar.cpp"
#include "platform/x86/io_tables.hpp"
#include "platform/x86/ivrs.cpp"
#include "tests/unit/platform/x86/iommu_table.hpp"

#include <CppUTest/TestHarness.h>

#include <map>
#include <memory>

using namespace bulkhead;
using namespace bulkhead::test;

TEST_GROUP(Dmar)
{
    std::unique_ptr<DmarFacts> facts = std::make_unique<DmarFacts>();
    const char* read(const TableBytes& table)
    {
        read_dmar(table.view(), *facts);
        return facts->problem;
    }
};

TEST(Dmar, tells_units_and_their_scopes)
{
    POINTERS_EQUAL(nullptr, read(good_dmar()));
    CHECK(facts->interrupt_remapping);
    LONGS_EQUAL(39, facts->address_bits);
    LONGS_EQUAL(1, facts->unit_count);
    CHECK(facts->units[0].base == HostPhysical(0xFED9'0000) && facts->units[0].all_others);
    LONGS_EQUAL(1, facts->units[0].scopes);
    LONGS_EQUAL(DmarScope::io_apic, facts->scopes[0].kind);
    CHECK(dmar_target(facts->scopes[0], nullptr) == pci_address(0xF0, 0x1F, 0));
}

TEST(Dmar, follows_a_path_through_bridges)
{
    const DmarScope scope{DmarScope::endpoint, 0, 0, 2, {{{1, 0}, {3, 2}}}};
    const PciRead read_bridge = [](PciAddress at, uint16_t offset) -> uint32_t {
        return at == pci_address(0, 1, 0) && offset == 0x18 ? 0x00'05'05'00 : ~0u;
    };
    CHECK(dmar_target(scope, read_bridge) == pci_address(5, 3, 2));
}

TEST(Dmar, tells_reserved_memory)
{
    TableBytes table = good_dmar();
    table.add<uint16_t>(1).add<uint16_t>(32).add<uint32_t>(0).add<uint64_t>(0x7000'0000).add<uint64_t>(0x7000'1FFF);
    table.add_all({1, 8, 0, 0, 0, 0, 0x1D, 0});
    POINTERS_EQUAL(nullptr, read(table));
    LONGS_EQUAL(1, facts->reserved_count);
    LONGS_EQUAL(0x7000'1FFF, facts->reserved[0].last);
    CHECK(dmar_target(facts->scopes[facts->reserved[0].first_scope], nullptr) == pci_address(0, 0x1D, 0));
}

TEST(Dmar, refuses_what_is_no_table)
{
    CHECK(read(TableBytes{}) != nullptr);
    CHECK(read(good_dmar(0xFED9'0001)) != nullptr);
    CHECK(read(good_dmar(0)) != nullptr);
    TableBytes cut = good_dmar();
    cut.bytes.pop_back();
    CHECK(read(cut) != nullptr);
    TableBytes no_path = good_dmar();
    no_path.bytes[48 + 17] = 6;
    CHECK(read(no_path) != nullptr);
    TableBytes backwards = good_dmar();
    backwards.add<uint16_t>(1).add<uint16_t>(24).add<uint32_t>(0).add<uint64_t>(0x2000).add<uint64_t>(0x1FFF);
    CHECK(read(backwards) != nullptr);
}

TEST(Dmar, refuses_more_than_fits)
{
    TableBytes table = good_dmar();
    for (int i = 0; i < 16; ++i)
        table.add<uint16_t>(0).add<uint16_t>(16).add<uint32_t>(0).add<uint64_t>(0xFED9'1000);
    CHECK(read(table) != nullptr);
}

TEST(Dmar, a_unit_of_another_segment_is_left_alone)
{
    TableBytes table = good_dmar();
    table.add<uint16_t>(0).add<uint16_t>(16).add_all({1, 0, 1, 0}).add<uint64_t>(0xFED9'1000);
    POINTERS_EQUAL(nullptr, read(table));
    LONGS_EQUAL(1, facts->unit_count);
}

TEST_GROUP(Ivrs)
{
    std::unique_ptr<IvrsFacts> facts = std::make_unique<IvrsFacts>();
    const char* read(const TableBytes& table)
    {
        read_ivrs(table.view(), *facts);
        return facts->problem;
    }
};

TEST(Ivrs, tells_units_ranges_and_io_apics)
{
    POINTERS_EQUAL(nullptr, read(good_ivrs()));
    LONGS_EQUAL(1, facts->unit_count);
    CHECK(facts->units[0].base == HostPhysical(0xFED8'0000) && facts->units[0].own == PciAddress(8));
    LONGS_EQUAL(1, facts->range_count);
    LONGS_EQUAL(0xFFFF, facts->ranges[0].last);
    LONGS_EQUAL(1, facts->io_apic_count);
    LONGS_EQUAL(0xA0, facts->io_apics[0].requester);
}

TEST(Ivrs, tells_ranges_and_aliases)
{
    TableBytes table;
    table.add_all({0x10, 0}).add<uint16_t>(24 + 8 + 4 + 8 + 4).add<uint16_t>(8).add<uint16_t>(0).add<uint64_t>(0xFED8'0000);
    table.add<uint64_t>(0);
    table.add_all({0x43, 0x00, 0x03, 0, 0, 0x10, 0x02, 0}).add_all({4, 0xFF, 0x03, 0});
    table.add_all({0x42, 0x08, 0x04, 0, 0, 0x00, 0x04, 0}).add_all({2, 0x30, 0, 0});
    POINTERS_EQUAL(nullptr, read(table));
    LONGS_EQUAL(2, facts->alias_count);
    LONGS_EQUAL(0x0300, facts->aliases[0].first);
    LONGS_EQUAL(0x03FF, facts->aliases[0].last);
    LONGS_EQUAL(0x0210, facts->aliases[0].id);
    LONGS_EQUAL(0x0408, facts->aliases[1].first);
    LONGS_EQUAL(3, facts->range_count);
    LONGS_EQUAL(0x30, facts->ranges[2].first);
}

TEST(Ivrs, tells_reserved_memory)
{
    TableBytes table = good_ivrs();
    table.add_all({0x22, 1}).add<uint16_t>(32).add<uint16_t>(0x10).add<uint16_t>(0x17).add<uint64_t>(0);
    table.add<uint64_t>(0x7000'0000).add<uint64_t>(0x2000);
    POINTERS_EQUAL(nullptr, read(table));
    LONGS_EQUAL(1, facts->reserved_count);
    LONGS_EQUAL(0x17, facts->reserved[0].last);
    LONGS_EQUAL(0x2000, facts->reserved[0].bytes);
}

TEST(Ivrs, refuses_what_is_no_table)
{
    CHECK(read(TableBytes{}) != nullptr);
    CHECK(read(good_ivrs(0x1234)) != nullptr);
    TableBytes cut = good_ivrs();
    cut.bytes.pop_back();
    CHECK(read(cut) != nullptr);
    TableBytes unknown = good_ivrs();
    unknown.bytes[48 + 24] = 0xF0;
    CHECK(read(unknown) != nullptr);
    TableBytes odd = good_ivrs();
    odd.add_all({0x20, 1}).add<uint16_t>(32).add<uint32_t>(0).add<uint64_t>(0).add<uint64_t>(0x10).add<uint64_t>(0x1000);
    CHECK(read(odd) != nullptr);
}

// --- Page tables of units ------------------------------------------------------------------------------

namespace {

// Marks of its own, so that a walk shows what was written.
struct TestFormat {
    static uint64_t table(Mfn next, unsigned level) { return address_of(next).raw() | 1 | level << 1; }
    static uint64_t leaf(HostPhysical to, unsigned level) { return to.raw() | 1 | 8 | level << 4; }
    static HostPhysical target(uint64_t entry) { return HostPhysical(entry & 0x000F'FFFF'FFFF'F000); }
};

// Every leaf of a tree: address -> level.
void collect(Mfn table, unsigned level, uint64_t address, std::map<uint64_t, unsigned>& leaves)
{
    const uint64_t* entries = machine::frame_pointer<uint64_t>(table);
    for (uint64_t i = 0; i < 512; ++i) {
        if (entries[i] == 0)
            continue;
        const uint64_t at = address | i << (12 + 9 * (level - 1));
        if ((entries[i] & 8) == 0) {
            UNSIGNED_LONGS_EQUAL(level - 1, entries[i] >> 1 & 3);
            collect(frame_of(TestFormat::target(entries[i])), level - 1, at, leaves);
            continue;
        }
        UNSIGNED_LONGS_EQUAL(at, TestFormat::target(entries[i]).raw());
        UNSIGNED_LONGS_EQUAL(level, entries[i] >> 4 & 7);
        leaves[at] = level;
    }
}

}  // namespace

TEST_GROUP(IoTables)
{
    std::map<uint64_t, unsigned> leaves;
    void setup() override { fake::reset_core(); }
    void teardown() override { leaves = {}; }
    void show(FrameRange range, unsigned levels, unsigned largest)
    {
        IoTables<TestFormat> tables;
        tables.create(levels, largest);
        CHECK(tables.reaches(range));
        tables.show(range);
        collect(tables.top(), levels, 0, leaves);
    }
};

TEST(IoTables, show_each_page_of_a_range_and_no_other)
{
    show({Mfn(0x1FE), 4}, 3, 1);
    LONGS_EQUAL(4, leaves.size());
    for (uint64_t frame = 0x1FE; frame < 0x202; ++frame)
        LONGS_EQUAL(1, leaves.at(frame << 12));
}

TEST(IoTables, use_the_largest_pages_that_fit)
{
    show({Mfn(0x1FF), 1 + 0x200 + 1}, 4, 3);
    LONGS_EQUAL(3, leaves.size());
    LONGS_EQUAL(1, leaves.at(0x1FF000));
    LONGS_EQUAL(2, leaves.at(0x200000));
    LONGS_EQUAL(1, leaves.at(0x400000));
}

TEST(IoTables, use_pages_of_a_gibibyte_where_the_unit_has_them)
{
    show({Mfn(0x40000), 0x40000}, 4, 3);
    LONGS_EQUAL(1, leaves.size());
    LONGS_EQUAL(3, leaves.at(0x4000'0000));
}

TEST(IoTables, use_no_larger_pages_than_the_unit_has)
{
    show({Mfn(0x40000), 0x400}, 4, 2);
    LONGS_EQUAL(2, leaves.size());
    LONGS_EQUAL(2, leaves.at(0x4000'0000));
}

TEST(IoTables, tell_what_their_levels_reach)
{
    IoTables<TestFormat> tables;
    tables.create(3, 1);
    CHECK(tables.reaches({Mfn((uint64_t{1} << 27) - 1), 1}));
    CHECK_FALSE(tables.reaches({Mfn((uint64_t{1} << 27) - 1), 2}));
    CHECK_FALSE(tables.reaches({Mfn(~uint64_t{0}), 2}));
}
