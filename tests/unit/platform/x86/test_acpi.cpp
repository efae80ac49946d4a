// SPDX-License-Identifier: BSD-2-Clause
// ACPI's static tables: typical ones, and every way of cutting and damaging them.
#include "platform/x86/acpi.hpp"

#include "platform/x86/acpi.cpp"
#include "platform/x86/acpi_tables.cpp"

#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string_view>
#include <vector>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

namespace {

// All of physical memory that can be looked at.
std::vector<uint8_t> memory;
constexpr uint64_t memory_at = 0xE0000;

const void* view(uint64_t address, uint64_t size_bytes)
{
    if (address < memory_at || address - memory_at > memory.size()
        || size_bytes > memory.size() - (address - memory_at))
        return nullptr;
    return memory.data() + (address - memory_at);
}

class Table {
public:
    explicit Table(std::string_view signature, size_t bytes = 36) : bytes_(bytes)
    {
        std::memcpy(bytes_.data(), signature.data(), 4);
        bytes_[8] = 1;
        std::memcpy(bytes_.data() + 10, "TESTER", 6);
    }
    template <class T>
    Table& put(size_t offset, T value)
    {
        if (bytes_.size() < offset + sizeof(T))
            bytes_.resize(offset + sizeof(T));
        std::memcpy(bytes_.data() + offset, &value, sizeof(T));
        return *this;
    }
    template <class T>
    Table& add(T value)
    {
        return put(bytes_.size(), value);
    }
    Table& add_bytes(const std::vector<uint8_t>& more)
    {
        bytes_.insert(bytes_.end(), more.begin(), more.end());
        return *this;
    }
    Table& add_register(uint8_t space, uint8_t width, uint64_t address)
    {
        return add(space).add(width).add(uint8_t{0}).add(uint8_t{0}).add(address);
    }
    Table& put_register(size_t offset, uint8_t space, uint8_t width, uint64_t address)
    {
        return put(offset, space).put(offset + 1, width).put(offset + 2, uint16_t{0}).put(offset + 4, address);
    }
    const std::vector<uint8_t>& sealed()
    {
        put(4, static_cast<uint32_t>(bytes_.size()));
        bytes_[9] = 0;
        uint8_t sum = 0;
        for (const uint8_t byte : bytes_)
            sum = static_cast<uint8_t>(sum + byte);
        bytes_[9] = static_cast<uint8_t>(-sum);
        return bytes_;
    }

private:
    std::vector<uint8_t> bytes_;
};

uint64_t place(const std::vector<uint8_t>& bytes)
{
    const uint64_t address = memory_at + memory.size();
    memory.insert(memory.end(), bytes.begin(), bytes.end());
    while (memory.size() % 16 != 0)
        memory.push_back(0);
    return address;
}

uint64_t place_rsdp(uint64_t rsdt, uint64_t xsdt)
{
    std::vector<uint8_t> bytes(36);
    std::memcpy(bytes.data(), "RSD PTR TESTER", 8);
    bytes[15] = xsdt != 0 ? 2 : 0;
    const auto rsdt32 = static_cast<uint32_t>(rsdt);
    std::memcpy(bytes.data() + 16, &rsdt32, 4);
    std::memcpy(bytes.data() + 24, &xsdt, 8);
    bytes[20] = 36;
    uint8_t sum = 0;
    for (size_t i = 0; i < 20; ++i)
        sum = static_cast<uint8_t>(sum + bytes[i]);
    bytes[8] = static_cast<uint8_t>(-sum);
    sum = 0;
    for (const uint8_t byte : bytes)
        sum = static_cast<uint8_t>(sum + byte);
    bytes[32] = static_cast<uint8_t>(-sum);
    return place(bytes);
}

Table typical_madt()
{
    Table madt("APIC");
    madt.add(uint32_t{0xfee00000}).add(uint32_t{1});
    madt.add_bytes({0, 8, 0, 0}).add(uint32_t{1});              // CPU 0
    madt.add_bytes({0, 8, 1, 2}).add(uint32_t{1});              // CPU of APIC id 2
    madt.add_bytes({0, 8, 2, 4}).add(uint32_t{0});              // disabled
    madt.add_bytes({1, 12, 9, 0}).add(uint32_t{0xfec00000}).add(uint32_t{0});
    madt.add_bytes({2, 10, 0, 0}).add(uint32_t{2}).add(uint16_t{0});        // PIT
    madt.add_bytes({2, 10, 0, 9}).add(uint32_t{9}).add(uint16_t{0xf});      // SCI, low, level
    madt.add_bytes({4, 6, 0xff, 0, 0, 1});                      // NMI on input 1
    madt.add_bytes({9, 16, 0, 0}).add(uint32_t{0x123}).add(uint32_t{1}).add(uint32_t{3});
    madt.add_bytes({5, 12, 0, 0}).add(uint64_t{0xfee10000});
    madt.add_bytes({77, 4, 1, 2});                              // of a later specification
    return madt;
}

Table typical_fadt(uint64_t dsdt)
{
    Table fadt("FACP", 268);
    fadt.put(8, uint8_t{5}).put(76, uint32_t{0x608}).put(64, uint32_t{0x604}).put(91, uint8_t{4});
    fadt.put(109, uint16_t{2}).put(112, uint32_t{(1u << 8) | (1u << 10)});
    fadt.put_register(116, 1, 8, 0xcf9).put(128, uint8_t{0x0f});
    fadt.put(140, dsdt);
    fadt.put_register(208, 1, 32, 0xb008);
    return fadt;
}

Table dsdt_with(const std::vector<uint8_t>& code)
{
    Table dsdt("DSDT");
    dsdt.add_bytes({0x10, 0x20, 0x5f, 0x53});
    dsdt.add_bytes(code).add_bytes({0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08});
    return dsdt;
}

const std::vector<uint8_t> s5_of_qemu{0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 0x05, 0x0a, 0x03, 0x00, 0x00};

}  // namespace

TEST_GROUP(Acpi)
{
    std::unique_ptr<AcpiFacts> facts = std::make_unique<AcpiFacts>();
    uint64_t rsdp = 0;

    void setup() override { memory.assign(64, 0); }
    void teardown() override { std::vector<uint8_t>().swap(memory); }

    void make(const std::vector<uint64_t>& tables, bool extended = true)
    {
        Table root(extended ? "XSDT" : "RSDT");
        for (const uint64_t table : tables) {
            if (extended)
                root.add(table);
            else
                root.add(static_cast<uint32_t>(table));
        }
        const uint64_t at = place(root.sealed());
        rsdp = extended ? place_rsdp(0, at) : place_rsdp(at, 0);
    }
    void make_typical(bool extended = true)
    {
        const uint64_t dsdt = place(dsdt_with(s5_of_qemu).sealed());
        Table hpet("HPET");
        hpet.add(uint32_t{0x8086a201}).add_register(0, 64, 0xfed00000);
        Table mcfg("MCFG");
        mcfg.add(uint64_t{0}).add(uint64_t{0xb0000000}).add(uint16_t{0}).add(uint8_t{0}).add(uint8_t{255}).add(uint32_t{0});
        make({place(typical_madt().sealed()), place(typical_fadt(dsdt).sealed()), place(hpet.sealed()),
              place(mcfg.sealed()), place(Table("DMAR").sealed())},
             extended);
    }
    void read() { read_acpi(view, HostPhysical(rsdp), *facts); }
};

TEST(Acpi, gathers_cpus_and_interrupt_controllers)
{
    make_typical();
    read();
    CHECK_TRUE(facts->present);
    POINTERS_EQUAL(nullptr, facts->problem);
    LONGS_EQUAL(3, facts->cpu_count);
    LONGS_EQUAL(0, facts->apic_ids[0]);
    LONGS_EQUAL(2, facts->apic_ids[1]);
    LONGS_EQUAL(0x123, facts->apic_ids[2]);
    UNSIGNED_LONGLONGS_EQUAL(0xfee10000, facts->local_apic.raw());
    LONGS_EQUAL(1, facts->io_apic_count);
    UNSIGNED_LONGLONGS_EQUAL(0xfec00000, facts->io_apics[0].address.raw());
    LONGS_EQUAL(2, facts->override_count);
    LONGS_EQUAL(2, facts->overrides[0].line);
    CHECK_FALSE(facts->overrides[0].level);
    CHECK_TRUE(facts->overrides[1].level && facts->overrides[1].active_low);
    CHECK_TRUE(facts->has_nmi_pin);
    LONGS_EQUAL(1, facts->nmi_pin);
}

TEST(Acpi, gathers_timers_power_and_pci)
{
    make_typical();
    read();
    UNSIGNED_LONGLONGS_EQUAL(0xb008, facts->pm_timer.address);
    CHECK_TRUE(facts->pm_timer_32bit);
    UNSIGNED_LONGLONGS_EQUAL(0xcf9, facts->reset.address);
    LONGS_EQUAL(0x0f, facts->reset_value);
    UNSIGNED_LONGLONGS_EQUAL(0x604, facts->pm1a_control.address);
    UNSIGNED_LONGLONGS_EQUAL(0, facts->pm1b_control.address);
    CHECK_TRUE(facts->can_power_off);
    LONGS_EQUAL(5, facts->sleep_type_a);
    LONGS_EQUAL(3, facts->sleep_type_b);
    UNSIGNED_LONGLONGS_EQUAL(0xfed00000, facts->hpet.raw());
    LONGS_EQUAL(1, facts->pci_segment_count);
    LONGS_EQUAL(255, facts->pci_segments[0].last_bus);
    CHECK_TRUE(facts->has_dmar);
    CHECK_FALSE(facts->has_ivrs);
    CHECK_TRUE(facts->has_keyboard_controller);
    // The root, five tables and the DSDT.
    LONGS_EQUAL(7, facts->table_count);
    STRCMP_EQUAL("TESTER", facts->tables[0].oem.data());
}

TEST(Acpi, reads_the_old_root_table)
{
    make_typical(false);
    read();
    CHECK_TRUE(facts->present);
    LONGS_EQUAL(3, facts->cpu_count);
}

TEST(Acpi, searches_the_bios_area_when_nobody_says_where_the_rsdp_is)
{
    make_typical();
    rsdp = 0;
    read();
    CHECK_TRUE(facts->present);
    rsdp = 0x123;
    read();
    CHECK_TRUE(facts->present);
}

TEST(Acpi, says_so_when_there_is_no_rsdp)
{
    memory.resize(0x20000);
    read();
    CHECK_FALSE(facts->present);
    CHECK(facts->problem != nullptr);
    LONGS_EQUAL(0, facts->cpu_count);
}

TEST(Acpi, leaves_out_a_table_with_a_wrong_checksum)
{
    std::vector<uint8_t> madt = typical_madt().sealed();
    madt[50] ^= 1;
    make({place(madt)});
    read();
    LONGS_EQUAL(0, facts->cpu_count);
    LONGS_EQUAL(2, facts->table_count);
    CHECK_FALSE(facts->tables[1].usable);
}

TEST(Acpi, leaves_out_everything_when_the_root_table_is_damaged)
{
    make_typical();
    // The RSDP is the last thing, the root table right before it.
    memory[rsdp - memory_at - 16] ^= 0xff;
    read();
    CHECK_FALSE(facts->present);
    CHECK(facts->problem != nullptr);
}

TEST(Acpi, leaves_out_tables_that_claim_to_be_longer_than_memory)
{
    std::vector<uint8_t> madt = typical_madt().sealed();
    const uint32_t claimed = 0x400000;
    std::memcpy(madt.data() + 4, &claimed, 4);
    make({place(madt), 0x7fff0000, ~uint64_t{0} - 8, 0});
    read();
    LONGS_EQUAL(0, facts->cpu_count);
    CHECK_FALSE(facts->tables[1].usable);
}

TEST(Acpi, stops_at_an_entry_of_the_madt_that_does_not_fit)
{
    for (const uint8_t length : {uint8_t{0}, uint8_t{1}, uint8_t{200}}) {
        setup();
        Table madt("APIC");
        madt.add(uint32_t{0}).add(uint32_t{0});
        madt.add_bytes({0, 8, 0, 0}).add(uint32_t{1});
        madt.add_bytes({0, length, 1, 1}).add(uint32_t{1});
        make({place(madt.sealed())});
        read();
        LONGS_EQUAL(1, facts->cpu_count);
    }
}

TEST(Acpi, counts_a_cpu_once_and_ignores_broadcast_ids)
{
    Table madt("APIC");
    madt.add(uint32_t{0}).add(uint32_t{0});
    madt.add_bytes({0, 8, 0, 7}).add(uint32_t{1});
    madt.add_bytes({9, 16, 0, 0}).add(uint32_t{7}).add(uint32_t{1}).add(uint32_t{0});
    madt.add_bytes({0, 8, 0, 0xff}).add(uint32_t{1});
    make({place(madt.sealed())});
    read();
    LONGS_EQUAL(1, facts->cpu_count);
}

TEST(Acpi, counts_the_cpus_that_are_too_many)
{
    Table madt("APIC");
    madt.add(uint32_t{0}).add(uint32_t{0});
    for (uint8_t i = 0; i < 70; ++i)
        madt.add_bytes({0, 8, i, i}).add(uint32_t{1});
    for (uint8_t i = 0; i < 20; ++i)
        madt.add_bytes({1, 12, i, 0}).add(uint32_t{0xfec00000}).add(uint32_t{i}).add_bytes({2, 10, 0, i}).add(uint32_t{i}).add(uint16_t{0});
    make({place(madt.sealed())});
    read();
    LONGS_EQUAL(64, facts->cpu_count);
    LONGS_EQUAL(6, facts->cpus_beyond);
    LONGS_EQUAL(8, facts->io_apic_count);
    LONGS_EQUAL(16, facts->override_count);
}

TEST(Acpi, takes_what_an_old_short_fadt_lacks_as_absent)
{
    Table fadt("FACP", 116);
    fadt.put(76, uint32_t{0x408}).put(91, uint8_t{4}).put(64, uint32_t{0x404});
    make({place(fadt.sealed())});
    read();
    UNSIGNED_LONGLONGS_EQUAL(0x408, facts->pm_timer.address);
    CHECK_FALSE(facts->pm_timer_32bit);
    UNSIGNED_LONGLONGS_EQUAL(0, facts->reset.address);
    CHECK_TRUE(facts->has_keyboard_controller);
    CHECK_FALSE(facts->can_power_off);
}

TEST(Acpi, finds_the_sleep_types_in_every_encoding)
{
    struct Case {
        std::vector<uint8_t> code;
        bool found;
        uint8_t a, b;
    };
    const Case cases[] = {
        {{0x08, '\\', '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 0x07, 0x0a, 0x07, 0x00, 0x00}, true, 7, 7},
        {{0x08, '_', 'S', '5', '_', 0x12, 0x04, 0x02, 0x00, 0x01}, true, 0, 1},
        {{0x08, '_', 'S', '5', '_', 0x12, 0x47, 0x00, 0x04, 0x01, 0x00, 0x00, 0x00}, true, 1, 0},
        {{0x08, '_', 'S', '5', '_', 0x12, 0x03, 0x01, 0x0a, 0x05}, true, 5, 0},
        {{0x14, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 0x05, 0x0a, 0x05}, false, 0, 0},    // a method
        {{0x08, '_', 'S', '5', '_', 0x11, 0x06, 0x04, 0x0a, 0x05, 0x0a, 0x05}, false, 0, 0},    // a buffer
        {{0x08, '_', 'S', '5', '_', 0x12, 0x02, 0x00}, false, 0, 0},                            // empty
        {{0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x02, 0x0a, 0x09, 0x0a, 0x00}, false, 9, 0},    // no such type
        {{0x08, '_', 'S', '5', '_', 0x12, 0x08, 0x02, 0x0c, 1, 0, 0, 0, 0x00}, false, 0, 0},    // a doubleword
    };
    for (const Case& test : cases) {
        setup();
        make({place(typical_fadt(place(dsdt_with(test.code).sealed())).sealed())});
        read();
        CHECK_EQUAL(test.found, facts->can_power_off);
        if (test.found) {
            LONGS_EQUAL(test.a, facts->sleep_type_a);
            LONGS_EQUAL(test.b, facts->sleep_type_b);
        }
    }
}

TEST(Acpi, ignores_registers_in_spaces_that_it_cannot_reach)
{
    Table hpet("HPET");
    hpet.add(uint32_t{0}).add_register(1, 64, 0xfed00000);
    Table fadt = typical_fadt(0);
    fadt.put_register(116, 2, 8, 0xcf9);
    make({place(hpet.sealed()), place(fadt.sealed())});
    read();
    UNSIGNED_LONGLONGS_EQUAL(0, facts->hpet.raw());
    UNSIGNED_LONGLONGS_EQUAL(0, facts->reset.address);
}

TEST(Acpi, survives_memory_that_ends_anywhere)
{
    make_typical();
    const std::vector<uint8_t> whole = memory;
    for (size_t kept = 0; kept < whole.size(); ++kept) {
        memory.assign(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(kept));
        memory.shrink_to_fit();
        read();
    }
}

TEST(Acpi, survives_any_damage)
{
    make_typical();
    const std::vector<uint8_t> whole = memory;
    std::mt19937 random(5);
    for (int round = 0; round < 3000; ++round) {
        memory = whole;
        for (int i = 0; i < 3; ++i)
            memory[random() % memory.size()] = static_cast<uint8_t>(random());
        read();
        // The same without checksums in the way: straight into each table.
        const acpi_reader::Bytes bytes(memory);
        AcpiFacts direct{};
        uint64_t dsdt = 0;
        const acpi_reader::Bytes part = bytes.part(random() % 200, random() % 300);
        acpi_reader::read_madt(part, direct);
        acpi_reader::read_fadt(part, direct, dsdt);
        acpi_reader::read_mcfg(part, direct);
        acpi_reader::find_s5(part, direct);
    }
}
