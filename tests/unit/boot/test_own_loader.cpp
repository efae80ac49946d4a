// SPDX-License-Identifier: BSD-2-Clause
// The hand-over of our own loaders, sound and broken.
#include "boot/handover.hpp"

#include "boot/memory_map.cpp"
#include "boot/own_loader.cpp"

#include "fake_physical.hpp"

#include <memory>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

TEST_GROUP(OwnLoader)
{
    std::unique_ptr<boot::Handover> handover = std::make_unique<boot::Handover>();
    std::unique_ptr<BootInfo> info = std::make_unique<BootInfo>();
    static constexpr uint64_t at = 0x10000;

    void setup() override
    {
        fake_physical::reset(0x8000);
        handover->magic = boot::handover_magic;
        handover->version = boot::handover_version;
        std::strcpy(handover->entry_name.data(), "UEFI");
        std::strcpy(handover->firmware.data(), "a maker");
        std::strcpy(handover->command_line.data(), "quiet");
        handover->rsdp = 0xe0000;
        handover->smbios = 0xf0000;
        handover->plan = 0x1000'0000;
        handover->plan_bytes = 0x1234;
        handover->slot = {1, 1, 7, 6, 60, 0};
        handover->range_count = 2;
        handover->ranges[0] = {0x10'0000, 0x100'0000, 1, 0};
        handover->ranges[1] = {0x8'0000, 0x1000, 4, 0};
    }
    const char* read(uint64_t from = at)
    {
        fake_physical::put(at, *handover);
        return boot::read_own_loader(fake_physical::view, from, *info);
    }
};

TEST(OwnLoader, gives_everything_that_the_core_wants_to_know)
{
    POINTERS_EQUAL(nullptr, read());
    STRCMP_EQUAL("UEFI", info->entry_name);
    STRCMP_EQUAL("a maker", info->firmware);
    STRCMP_EQUAL("quiet", info->command_line.data());
    UNSIGNED_LONGLONGS_EQUAL(0xe0000, info->rsdp.raw());
    UNSIGNED_LONGLONGS_EQUAL(0xf0000, info->smbios.raw());
    UNSIGNED_LONGLONGS_EQUAL(0x1000'0000, info->plan.raw());
    UNSIGNED_LONGLONGS_EQUAL(0x1234, info->plan_bytes);
    LONGS_EQUAL(2, info->memory_map_count);
    UNSIGNED_LONGLONGS_EQUAL(0x8'0000, info->memory_map[0].base.raw());
    CHECK(info->memory_map[0].kind == MemoryKind::acpi_nvs);
    CHECK_FALSE(info->memory_map_truncated);
}

TEST(OwnLoader, gives_the_slot)
{
    POINTERS_EQUAL(nullptr, read());
    LONGS_EQUAL(1, info->slot.number);
    CHECK_TRUE(info->slot.on_trial);
    UNSIGNED_LONGLONGS_EQUAL(7, info->slot.version);
    UNSIGNED_LONGLONGS_EQUAL(6, info->slot.other_version);
    LONGS_EQUAL(60, info->slot.health_seconds);
}

TEST(OwnLoader, takes_a_slot_number_that_does_not_exist_as_none)
{
    handover->slot.number = 99;
    POINTERS_EQUAL(nullptr, read());
    LONGS_EQUAL(BootSlot::none, info->slot.number);
}

TEST(OwnLoader, ends_texts_that_have_no_end)
{
    handover->entry_name.fill('x');
    handover->firmware.fill('y');
    handover->command_line.fill('z');
    POINTERS_EQUAL(nullptr, read());
    LONGS_EQUAL(31, std::strlen(info->entry_name));
    LONGS_EQUAL(63, std::strlen(info->firmware));
    LONGS_EQUAL(511, std::strlen(info->command_line.data()));
}

TEST(OwnLoader, says_that_ranges_were_dropped)
{
    handover->ranges_dropped = 1;
    POINTERS_EQUAL(nullptr, read());
    CHECK_TRUE(info->memory_map_truncated);
}

TEST(OwnLoader, refuses_another_magic_number_or_version)
{
    handover->version = 2;
    CHECK(read() != nullptr);
    handover->version = 1;
    handover->magic = 0;
    CHECK(read() != nullptr);
}

TEST(OwnLoader, refuses_no_ranges_and_more_than_there_is_room_for)
{
    handover->range_count = 0;
    CHECK(read() != nullptr);
    handover->range_count = boot::Handover::most_ranges + 1;
    CHECK(read() != nullptr);
}

TEST(OwnLoader, refuses_a_plan_that_is_not_at_a_page)
{
    handover->plan = 0x1000'0008;
    CHECK(read() != nullptr);
}

TEST(OwnLoader, refuses_a_hand_over_that_cannot_be_read)
{
    CHECK(read(0) != nullptr);
    CHECK(read(at + 4) != nullptr);
}
