// SPDX-License-Identifier: BSD-2-Clause
// AMD-Vi on a model of its registers: the device table entry by entry, page tables, interrupt tables.
#include "tests/unit/platform/x86/iommu_box.hpp"

#include "platform/x86/amd_iommu.cpp"
#include "platform/x86/ivrs.cpp"

#include <CppUTest/TestHarness.h>

#include <memory>

using namespace bulkhead;
using namespace bulkhead::test;

namespace {

constexpr PciAddress card = pci_address(0, 3, 0);
constexpr PciAddress other = pci_address(0, 4, 0);
constexpr uint16_t io_apic = 0xA0;
bool answers;

void model(uint32_t at, uint64_t value)
{
    if (!answers || at != reg_command_tail)
        return;
    const auto* queue = machine::frame_pointer<Command>(
        frame_of(HostPhysical(fake::registers[reg_commands] & 0x000F'FFFF'FFFF'F000)));
    for (uint64_t i = fake::registers[reg_command_head] / 16; i != value / 16; i = (i + 1) % 256) {
        if (queue[i].low >> 60 == 1)
            *machine::physical_pointer<uint64_t>(HostPhysical(queue[i].low & 0x000F'FFFF'FFFF'FFF8)) = queue[i].high;
    }
    fake::registers[reg_command_head] = value;
}

uint64_t word(uint64_t table, uint64_t index)
{
    return machine::physical_pointer<uint64_t>(HostPhysical(table & 0x000F'FFFF'FFFF'F000))[index];
}

}  // namespace

TEST_GROUP(AmdIommu)
{
    TableBytes table = good_ivrs();
    std::unique_ptr<BootInfo> info = std::make_unique<BootInfo>();

    void setup() override
    {
        fake::reset_iommu_box();
        fake::on_write = model;
        answers = true;
        for (Unit& each : units)
            each = {};
        unit_count = 0;
        domains = 0;
        started = false;
        for (const PciAddress address : {PciAddress(8), card, other}) {
            fake::functions.push_back({});
            fake::functions.back().address = address;
        }
        fake::functions[0].msi = 0x50;
    }
    void teardown() override { fake::registers = {}, fake::functions = {}, fake::messages = {}; }
    const char* find() { return find_amd(table.bytes.data(), static_cast<uint32_t>(table.bytes.size())); }
    static Requester requester() { return {card, card, false}; }
};

TEST(AmdIommu, shows_a_card_its_frames_and_everybody_else_nothing)
{
    POINTERS_EQUAL(nullptr, find());
    CHECK(amd_confine(requester(), {Mfn(0x12345), 2}));
    POINTERS_EQUAL(nullptr, start_amd(*info));
    UNSIGNED_LONGS_EQUAL(1, fake::registers[reg_devices] & 0xFFF);       // 8 KiB: one bus
    for (uint64_t id = 0; id < 256; ++id) {
        const uint64_t memory = word(fake::registers[reg_devices], id * 4);
        const uint64_t interrupts = word(fake::registers[reg_devices] + page_size * (id / 128), id % 128 * 4 + 2);
        if (id == card.raw())
            continue;
        if (id < 128)
            UNSIGNED_LONGS_EQUAL(3, memory);                              // valid, and no access
        UNSIGNED_LONGS_EQUAL(id == io_apic ? 0 : 1, interrupts);          // checked, and none is let through
    }
    const uint64_t memory = word(fake::registers[reg_devices], card.raw() * 4u);
    UNSIGNED_LONGS_EQUAL(uint64_t{3} << 61 | 4 << 9 | 3, memory & ~uint64_t{0x000F'FFFF'FFFF'F000});
    UNSIGNED_LONGS_EQUAL(1, word(fake::registers[reg_devices], card.raw() * 4u + 1));
    const uint64_t third = word(memory, 0);
    UNSIGNED_LONGS_EQUAL(3, third >> 9 & 7);
    const uint64_t second = word(third, 0);
    const uint64_t first = word(second, 0x12345 >> 9);
    UNSIGNED_LONGS_EQUAL(1, first >> 9 & 7);
    for (uint64_t i = 0; i < 512; ++i) {
        const bool shown = i == 0x145 || i == 0x146;
        CHECK(word(first, i) == (shown ? (0x12200 + i) << 12 | 1 | uint64_t{3} << 61 : 0));
    }
    CHECK((fake::registers[reg_control] & control_enabled) != 0);
    UNSIGNED_LONGS_EQUAL(vector_iommu, fake::messages.at(8).data);
}

TEST(AmdIommu, a_card_has_one_owner)
{
    POINTERS_EQUAL(nullptr, find());
    CHECK(amd_confine(requester(), {Mfn(0x1000), 1}));
    CHECK_FALSE(amd_confine(requester(), {Mfn(0x2000), 1}));
}

TEST(AmdIommu, each_card_has_interrupts_of_its_own)
{
    POINTERS_EQUAL(nullptr, find());
    const Requester second{other, other, false};
    CHECK(amd_confine(requester(), {Mfn(0x1000), 1}));
    CHECK(amd_confine(second, {Mfn(0x2000), 1}));
    POINTERS_EQUAL(nullptr, start_amd(*info));
    InterruptMessage message{};
    CHECK(amd_interrupt_message(requester(), 5, 0x38, 2, message));
    UNSIGNED_LONGS_EQUAL(0xFEE0'0000, message.address);
    UNSIGNED_LONGS_EQUAL(5, message.data);
    const uint64_t mine = word(fake::registers[reg_devices], card.raw() * 4u + 2);
    const uint64_t theirs = word(fake::registers[reg_devices], other.raw() * 4u + 2);
    UNSIGNED_LONGS_EQUAL(uint64_t{2} << 60 | 8 << 1 | 1, mine & ~uint64_t{0x000F'FFFF'FFFF'F000});
    UNSIGNED_LONGS_EQUAL(uint64_t{1 | 2 << 8 | 0x38 << 16} << 32, word(mine, 2));
    UNSIGNED_LONGS_EQUAL(0, word(theirs, 2));
    amd_forget_interrupt(requester(), 5);
    UNSIGNED_LONGS_EQUAL(0, word(mine, 2));
    CHECK_FALSE(amd_interrupt_message(requester(), 256, 0x38, 2, message));
    CHECK_FALSE(amd_interrupt_message(requester(), 5, 0x38, 0x100, message));
}

TEST(AmdIommu, a_card_goes_by_the_firmwares_alias)
{
    table = TableBytes{};
    table.add_all({0x10, 0}).add<uint16_t>(24 + 8 + 8 + 4).add<uint16_t>(8).add<uint16_t>(0).add<uint64_t>(0xFED8'0000);
    table.add<uint64_t>(0).add_all({0x42, 0x18, 0, 0, 0, 0x20, 0, 0}).add_all({0x48, 0, 0, 0, 0, 0xA0, 0, 1});
    table.add_all({1, 0, 0, 0});
    POINTERS_EQUAL(nullptr, find());
    CHECK(amd_confine(requester(), {Mfn(0x1000), 1}));
    POINTERS_EQUAL(nullptr, start_amd(*info));
    UNSIGNED_LONGS_EQUAL(3, word(fake::registers[reg_devices], card.raw() * 4u));
    CHECK(word(fake::registers[reg_devices], other.raw() * 4u) != 3);
}

TEST(AmdIommu, without_a_word_about_the_io_apic_it_is_not_used)
{
    table.bytes[48 + 24 + 4 + 7] = 2;
    CHECK(find() != nullptr);
}

TEST(AmdIommu, a_unit_that_does_not_answer_is_not_used)
{
    POINTERS_EQUAL(nullptr, find());
    answers = false;
    CHECK(start_amd(*info) != nullptr);
    UNSIGNED_LONGS_EQUAL(0, fake::registers[reg_control]);
}

TEST(AmdIommu, tells_faults_once)
{
    POINTERS_EQUAL(nullptr, find());
    POINTERS_EQUAL(nullptr, start_amd(*info));
    IommuFault fault{};
    CHECK_FALSE(amd_take_fault(fault));
    auto* events = machine::frame_pointer<Command>(units[0].events);
    events[0] = {uint64_t{2} << 60 | uint64_t{1} << 53 | card.raw(), 0x1234'5000};
    fake::registers[reg_event_tail] = 16;
    CHECK(amd_take_fault(fault));
    CHECK(fault.source == card && fault.address == 0x1234'5000 && fault.write && !fault.interrupt);
    CHECK_FALSE(amd_take_fault(fault));
}
