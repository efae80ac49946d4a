// SPDX-License-Identifier: BSD-2-Clause
// Listing PCI functions of invented boxes.
#include "platform/x86/pci.hpp"

#include "platform/x86/pci_enumerate.cpp"

#include <array>
#include <map>
#include <vector>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

namespace {

std::map<uint16_t, std::array<uint32_t, 64>> box;
unsigned reads;

uint32_t read(PciAddress address, uint16_t offset)
{
    ++reads;
    const auto found = box.find(address.raw());
    return found == box.end() ? ~0u : found->second[offset / 4];
}

std::array<uint32_t, 64>& add(unsigned bus, unsigned device, unsigned function, uint32_t identity, uint32_t class_code)
{
    auto& registers = box[pci_address(bus, device, function).raw()];
    registers[0] = identity;
    registers[2] = class_code << 8;
    return registers;
}

std::array<uint32_t, 64>& add_bridge(unsigned bus, unsigned device, unsigned secondary)
{
    auto& registers = add(bus, device, 0, 0x00011b36, 0x060400);
    registers[3] = 1u << 16;
    registers[6] = secondary << 8;
    return registers;
}

}  // namespace

TEST_GROUP(Pci)
{
    std::array<PciFunction, max_pci_functions> functions{};
    bool truncated = false;

    void setup() override
    {
        box.clear();
        reads = 0;
    }
    void teardown() override { box.clear(); }
    size_t enumerate() { return enumerate_pci(read, functions, truncated); }
};

TEST(Pci, finds_nothing_on_an_empty_bus)
{
    LONGS_EQUAL(0, enumerate());
    LONGS_EQUAL(32, reads);
}

TEST(Pci, reads_what_a_function_is)
{
    auto& registers = add(0, 3, 0, 0x100e8086, 0x020000);
    registers[2] |= 3;
    registers[4] = 0xfebc0000;
    registers[5] = 0xc001;
    registers[6] = 0xe000000c;      // 64 bits, prefetchable
    registers[7] = 0x8;
    registers[15] = 0x0100;
    LONGS_EQUAL(1, enumerate());
    const PciFunction& function = functions[0];
    LONGS_EQUAL(3, pci_device(function.address));
    LONGS_EQUAL(0x8086, function.vendor);
    LONGS_EQUAL(0x100e, function.device);
    LONGS_EQUAL(0x020000, function.class_code);
    LONGS_EQUAL(3, function.revision);
    LONGS_EQUAL(1, function.interrupt_pin);
    CHECK(function.bars[0].kind == PciBar::Kind::memory && function.bars[0].base == 0xfebc0000);
    CHECK(function.bars[1].kind == PciBar::Kind::io && function.bars[1].base == 0xc000);
    CHECK(function.bars[2].prefetchable && function.bars[2].base == 0x8e0000000);
    CHECK(function.bars[3].kind == PciBar::Kind::none);
}

TEST(Pci, looks_for_further_functions_only_where_the_first_one_says_so)
{
    add(0, 1, 0, 0x70008086, 0x060100);
    add(0, 1, 1, 0x70108086, 0x010180);
    LONGS_EQUAL(1, enumerate());
    box[pci_address(0, 1, 0).raw()][3] = 0x80u << 16;
    LONGS_EQUAL(2, enumerate());
}

TEST(Pci, goes_through_bridges)
{
    add_bridge(0, 1, 5);
    add_bridge(5, 0, 7);
    add(7, 4, 0, 0x10d38086, 0x020000);
    LONGS_EQUAL(3, enumerate());
    LONGS_EQUAL(7, pci_bus(functions[2].address));
}

TEST(Pci, ends_when_bridges_lead_in_a_circle)
{
    add_bridge(0, 1, 5);
    add_bridge(5, 0, 5);
    add_bridge(5, 1, 0);
    add_bridge(0, 2, 5);
    LONGS_EQUAL(4, enumerate());
}

TEST(Pci, does_not_follow_a_bridge_that_was_not_set_up)
{
    add_bridge(0, 1, 0);
    LONGS_EQUAL(1, enumerate());
}

TEST(Pci, finds_the_capabilities_for_message_interrupts)
{
    auto& registers = add(0, 2, 0, 0x10d38086, 0x020000);
    registers[1] = 1u << 20;
    registers[13] = 0xc8;
    registers[0xc8 / 4] = 0xd001;
    registers[0xd0 / 4] = 0xa005;
    registers[0xa0 / 4] = 0x0011;
    enumerate();
    LONGS_EQUAL(0xd0, functions[0].msi);
    LONGS_EQUAL(0xa0, functions[0].msix);
}

TEST(Pci, ends_at_capabilities_in_a_circle)
{
    auto& registers = add(0, 2, 0, 0x10d38086, 0x020000);
    registers[1] = 1u << 20;
    registers[13] = 0x40;
    registers[0x40 / 4] = 0x4001;
    LONGS_EQUAL(1, enumerate());
    CHECK(reads < 200);
}

TEST(Pci, says_so_when_there_are_more_functions_than_fit)
{
    for (unsigned bus = 0; bus < 10; ++bus)
        for (unsigned device = 0; device < 31; ++device)
            add(bus, device, 0, 0x12345678, 0xff0000);
    for (unsigned bus = 0; bus < 9; ++bus)
        add_bridge(bus, 31, bus + 1);
    LONGS_EQUAL(max_pci_functions, enumerate());
    CHECK_TRUE(truncated);
}
