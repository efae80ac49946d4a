// SPDX-License-Identifier: BSD-2-Clause
// VT-d on a model of its registers: which tables there are at the end, and what a unit that does not do
// what it is told leads to.
#include "tests/unit/platform/x86/iommu_box.hpp"

#include "platform/x86/dmar.cpp"
#include "platform/x86/vtd.cpp"
#include "platform/x86/vtd_interrupts.cpp"
#include "platform/x86/vtd_tables.cpp"
#include "platform/x86/vtd_unit.cpp"

#include <CppUTest/TestHarness.h>

#include <memory>

using namespace bulkhead;
using namespace bulkhead::test;
using namespace bulkhead::vtd;

namespace {

constexpr uint32_t fault_at = 0x220;
constexpr PciAddress card = pci_address(0, 3, 0);
bool answers;
unsigned descriptors;

// Commands show in the status; the queue is worked off at once.
void unit(uint32_t at, uint64_t value)
{
    if (!answers)
        return;
    if (at == reg_command)
        fake::registers[reg_status] = value;
    if (at != reg_queue_tail || fake::registers[reg_queue_base] == 0)
        return;
    const auto* queue = machine::frame_pointer<Descriptor>(frame_of(HostPhysical(fake::registers[reg_queue_base])));
    for (uint64_t i = fake::registers[reg_queue_head] >> 4; i != value >> 4; i = (i + 1) % 256) {
        ++descriptors;
        if ((queue[i].low & 15) == 5)
            *machine::physical_pointer<uint32_t>(HostPhysical(queue[i].high)) = static_cast<uint32_t>(queue[i].low >> 32);
    }
    fake::registers[reg_queue_head] = value;
}

uint64_t word(HostPhysical table, uint64_t index) { return machine::physical_pointer<uint64_t>(table)[index]; }

}  // namespace

TEST_GROUP(Vtd)
{
    TableBytes table = good_dmar();
    std::unique_ptr<BootInfo> info = std::make_unique<BootInfo>();

    void setup() override
    {
        fake::reset_iommu_box();
        fake::on_write = unit;
        answers = true;
        descriptors = 0;
        for (Unit& each : all_units)
            each = {};
        unit_count = 0;
        started = false;
        fake::registers[reg_capability] = uint64_t{2} << 8 | uint64_t{fault_at / 16} << 24 | uint64_t{3} << 34;
        fake::registers[reg_extended] = 1 | 2 | 8;
        fake::acpi_facts.io_apic_count = 1;
        fake::functions.push_back({});
        fake::functions[0].address = card;
    }
    void teardown() override { fake::registers = {}, fake::functions = {}, fake::messages = {}; }
    const char* find() { return vtd::find(table.bytes.data(), static_cast<uint32_t>(table.bytes.size())); }
    static Requester requester() { return {card, card, false}; }
};

TEST(Vtd, shows_a_card_its_frames_and_everybody_else_nothing)
{
    POINTERS_EQUAL(nullptr, find());
    CHECK(confine(requester(), {Mfn(0x12345), 2}));
    POINTERS_EQUAL(nullptr, vtd::start(*info));
    const HostPhysical root(fake::registers[reg_root]);
    for (uint64_t bus = 0; bus < 512; ++bus)
        CHECK_EQUAL(bus == 0, word(root, bus) != 0);
    const HostPhysical contexts(word(root, 0) & ~page_mask);
    for (uint64_t i = 0; i < 512; i += 2)
        CHECK_EQUAL(i == card.raw() * 2u, word(contexts, i) != 0);
    const uint64_t context = word(contexts, card.raw() * 2u);
    UNSIGNED_LONGS_EQUAL(1, context & 0xFFF);                            // present, second-level tables only
    UNSIGNED_LONGS_EQUAL(1 | 1 << 8, word(contexts, card.raw() * 2u + 1));  // three levels, domain 1
    const HostPhysical second(word(HostPhysical(context & ~page_mask), 0) & ~page_mask);
    const HostPhysical first(word(second, 0x12345 >> 9) & ~page_mask);
    for (uint64_t i = 0; i < 512; ++i) {
        const bool shown = i == 0x145 || i == 0x146;
        UNSIGNED_LONGS_EQUAL(shown ? (0x12200 + i) << 12 | 3 : 0, word(first, i));
    }
    CHECK((fake::registers[reg_status] & (bit_translate | bit_queue | bit_remap)) == (bit_translate | bit_queue | bit_remap));
    CHECK((fake::registers[reg_status] & bit_compatible) == 0);
    UNSIGNED_LONGS_EQUAL(vector_iommu, fake::registers[reg_fault_data]);
}

TEST(Vtd, a_card_has_one_owner)
{
    POINTERS_EQUAL(nullptr, find());
    CHECK(confine(requester(), {Mfn(0x1000), 1}));
    CHECK_FALSE(confine(requester(), {Mfn(0x2000), 1}));
}

TEST(Vtd, a_card_with_memory_of_the_firmware_is_not_confined)
{
    table.add<uint16_t>(1).add<uint16_t>(32).add<uint32_t>(0).add<uint64_t>(0x7000'0000).add<uint64_t>(0x7000'0FFF);
    table.add_all({1, 8, 0, 0, 0, 0, 3, 0});
    POINTERS_EQUAL(nullptr, find());
    CHECK_FALSE(confine(requester(), {Mfn(0x1000), 1}));
    POINTERS_EQUAL(nullptr, vtd::start(*info));
    CHECK(word(HostPhysical(word(HostPhysical(fake::registers[reg_root]), 0) & ~page_mask), card.raw() * 2u) != 0);
}

TEST(Vtd, memory_that_may_be_used_is_not_shown_for_the_firmware)
{
    table.add<uint16_t>(1).add<uint16_t>(32).add<uint32_t>(0).add<uint64_t>(0x2'0000'0000).add<uint64_t>(0x2'0000'0FFF);
    table.add_all({1, 8, 0, 0, 0, 0, 3, 0});
    POINTERS_EQUAL(nullptr, find());
    POINTERS_EQUAL(nullptr, vtd::start(*info));
    UNSIGNED_LONGS_EQUAL(0, word(HostPhysical(fake::registers[reg_root]), 0));
}

TEST(Vtd, an_interrupt_is_bound_to_who_sends_it)
{
    POINTERS_EQUAL(nullptr, find());
    CHECK(confine(requester(), {Mfn(0x1000), 1}));
    POINTERS_EQUAL(nullptr, vtd::start(*info));
    CHECK(remaps(card));
    InterruptMessage message{};
    CHECK(interrupt_message(requester(), 5, 0x38, 2, message));
    UNSIGNED_LONGS_EQUAL(0xFEE0'0000 | 1 << 4 | 5 << 5, message.address);
    UNSIGNED_LONGS_EQUAL(0, message.data);
    const HostPhysical entries(fake::registers[reg_remap_base] & ~page_mask);
    UNSIGNED_LONGS_EQUAL(1 | 0x38 << 16 | uint64_t{2} << 40, word(entries, 10));
    UNSIGNED_LONGS_EQUAL(1 << 18 | card.raw(), word(entries, 11));
    forget_interrupt(requester(), 5);
    UNSIGNED_LONGS_EQUAL(0, word(entries, 10));
    CHECK_FALSE(interrupt_message(requester(), first_line_entry, 0x38, 2, message));
    CHECK_FALSE(interrupt_message(requester(), 5, 0x38, 0x100, message));
}

TEST(Vtd, a_line_goes_by_an_entry_of_its_own)
{
    POINTERS_EQUAL(nullptr, find());
    POINTERS_EQUAL(nullptr, vtd::start(*info));
    uint32_t low = 0;
    uint32_t high = 0;
    CHECK(fake::composer({21, 0, 1u << 15 | 0x40, 1}, low, high));
    UNSIGNED_LONGS_EQUAL(1u << 15 | 0x40, low);
    UNSIGNED_LONGS_EQUAL((192u + 21) << 17 | 1u << 16, high);
    const HostPhysical entries(fake::registers[reg_remap_base] & ~page_mask);
    UNSIGNED_LONGS_EQUAL(1 | 1 << 4 | 0x40 << 16 | uint64_t{1} << 40, word(entries, (192 + 21) * 2));
    UNSIGNED_LONGS_EQUAL(1 << 18 | pci_address(0xF0, 0x1F, 0).raw(), word(entries, (192 + 21) * 2 + 1));
    CHECK_FALSE(fake::composer({64, 0, 0x40, 1}, low, high));
    CHECK_FALSE(fake::composer({21, 7, 0x40, 1}, low, high));
}

TEST(Vtd, without_a_word_about_an_io_apic_interrupts_are_not_checked)
{
    fake::acpi_facts.io_apics[0].id = 9;
    POINTERS_EQUAL(nullptr, find());
    POINTERS_EQUAL(nullptr, vtd::start(*info));
    CHECK_FALSE(remaps(card));
    CHECK((fake::registers[reg_status] & bit_remap) == 0);
    POINTERS_EQUAL(nullptr, reinterpret_cast<void*>(fake::composer));
}

TEST(Vtd, a_unit_that_does_not_answer_is_not_used)
{
    POINTERS_EQUAL(nullptr, find());
    answers = false;
    CHECK(vtd::start(*info) != nullptr);
}

TEST(Vtd, a_unit_without_tables_that_are_known_is_not_used)
{
    fake::registers[reg_capability] = 0;
    CHECK(find() != nullptr);
}

TEST(Vtd, a_unit_that_stops_answering_gives_no_more_interrupts)
{
    POINTERS_EQUAL(nullptr, find());
    CHECK(confine(requester(), {Mfn(0x1000), 1}));
    POINTERS_EQUAL(nullptr, vtd::start(*info));
    answers = false;
    InterruptMessage message{};
    CHECK_FALSE(interrupt_message(requester(), 5, 0x38, 2, message));
    answers = true;
    CHECK_FALSE(interrupt_message(requester(), 6, 0x39, 2, message));
}

TEST(Vtd, tells_faults_once)
{
    POINTERS_EQUAL(nullptr, find());
    POINTERS_EQUAL(nullptr, vtd::start(*info));
    IommuFault fault{};
    CHECK_FALSE(take_fault(fault));
    fake::registers[fault_at] = 0x1234'5000;
    fake::registers[fault_at + 8] = card.raw();
    fake::registers[fault_at + 12] = 1u << 31 | 5;
    fake::on_write = [](uint32_t at, uint64_t) {
        if (at == fault_at + 12)
            fake::registers[at] = 0;
    };
    CHECK(take_fault(fault));
    CHECK(fault.source == card && fault.address == 0x1234'5000 && fault.write && !fault.interrupt);
    CHECK_FALSE(take_fault(fault));
}

TEST(Vtd, its_registers_are_nobodys)
{
    POINTERS_EQUAL(nullptr, find());
    CHECK(has_registers(0xFED9'0000, 0x1000));
    CHECK(has_registers(0xFED8'0000, 0x20000));
    CHECK_FALSE(has_registers(0xFED9'1000, 0x1000));
}
