// SPDX-License-Identifier: BSD-2-Clause
// The PVH hand-over, sound and broken.
#include "boot/loader_view.hpp"

#include "boot/memory_map.cpp"
#include "boot/pvh.cpp"

#include "fake_physical.hpp"

#include <memory>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

namespace {
constexpr uint64_t start_at = 0x10100;
constexpr uint64_t map_at = 0x10400;
constexpr uint64_t text_at = 0x10800;
}

TEST_GROUP(Pvh)
{
    hvm_start_info start{};
    std::unique_ptr<BootInfo> info = std::make_unique<BootInfo>();

    void setup() override
    {
        fake_physical::reset();
        start.magic = XEN_HVM_START_MAGIC_VALUE;
        start.version = 1;
        start.cmdline_paddr = text_at;
        start.rsdp_paddr = 0xf59d0;
        start.memmap_paddr = map_at;
        start.memmap_entries = 2;
        fake_physical::put(map_at, hvm_memmap_table_entry{0, 0x9fc00, 1, 0});
        fake_physical::put(map_at + 24, hvm_memmap_table_entry{0x100000, 0xff00000, 1, 0});
        fake_physical::put_text(text_at, "quiet loud");
    }
    const char* read()
    {
        fake_physical::put(start_at, start);
        return boot::read_pvh(fake_physical::view, start_at, *info);
    }
};

TEST(Pvh, gives_map_command_line_and_rsdp)
{
    POINTERS_EQUAL(nullptr, read());
    STRCMP_EQUAL("PVH", info->entry_name);
    STRCMP_EQUAL("quiet loud", info->command_line.data());
    UNSIGNED_LONGLONGS_EQUAL(0xf59d0, info->rsdp.raw());
    LONGS_EQUAL(2, info->memory_map_count);
    UNSIGNED_LONGLONGS_EQUAL(0xff00000, info->memory_map[1].size_bytes);
}

TEST(Pvh, refuses_a_wrong_magic_number)
{
    start.magic = 0;
    CHECK(read() != nullptr);
}

TEST(Pvh, refuses_version_0_which_has_no_map)
{
    start.version = 0;
    CHECK(read() != nullptr);
}

TEST(Pvh, refuses_an_empty_map)
{
    start.memmap_entries = 0;
    CHECK(read() != nullptr);
}

TEST(Pvh, refuses_a_map_that_reaches_out_of_memory)
{
    start.memmap_entries = 4000;
    CHECK(read() != nullptr);
}

TEST(Pvh, refuses_start_information_that_cannot_be_read)
{
    CHECK(boot::read_pvh(fake_physical::view, 0, *info) != nullptr);
    CHECK(boot::read_pvh(fake_physical::view, ~uint64_t{0} - 8, *info) != nullptr);
}

TEST(Pvh, cuts_off_a_command_line_that_is_too_long)
{
    fake_physical::reset(0x4000);
    setup();
    fake_physical::memory.resize(0x4000);
    std::memset(fake_physical::memory.data() + (text_at - fake_physical::begin), 'x', 2000);
    POINTERS_EQUAL(nullptr, read());
    LONGS_EQUAL(511, std::strlen(info->command_line.data()));
}

TEST(Pvh, takes_no_command_line_as_empty)
{
    start.cmdline_paddr = 0;
    POINTERS_EQUAL(nullptr, read());
    STRCMP_EQUAL("", info->command_line.data());
}

TEST(Pvh, reads_a_command_line_up_to_the_end_of_memory)
{
    start.cmdline_paddr = fake_physical::begin + fake_physical::memory.size() - 3;
    fake_physical::put_text(start.cmdline_paddr, "abc");
    POINTERS_EQUAL(nullptr, read());
    STRCMP_EQUAL("abc", info->command_line.data());
}
