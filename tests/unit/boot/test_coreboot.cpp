// SPDX-License-Identifier: BSD-2-Clause
// coreboot's tables, sound and broken.
#include "boot/loader_view.hpp"

#include "boot/coreboot.cpp"
#include "boot/memory_map.cpp"
#include "boot/pvh.cpp"         // copy_text()

#include <map>
#include <memory>
#include <vector>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

namespace {

// A few pieces of memory; what is between them reads as zero below 1 MiB and not at all above.
std::map<uint64_t, std::vector<uint8_t>> memory;
const std::vector<uint8_t> zeros(4096);

const void* view(uint64_t address, uint64_t size)
{
    for (const auto& [base, bytes] : memory) {
        if (address >= base && address < base + bytes.size())
            return size <= base + bytes.size() - address ? bytes.data() + (address - base) : nullptr;
    }
    return address < 0x100000 && size <= zeros.size() ? zeros.data() : nullptr;
}

using Table = std::vector<uint32_t>;

void add(Table& table, uint32_t tag, const std::vector<uint32_t>& content)
{
    table.push_back(tag);
    table.push_back(static_cast<uint32_t>(8 + content.size() * 4));
    table.insert(table.end(), content.begin(), content.end());
}

uint32_t sum_of(const void* data, size_t bytes)
{
    const auto* byte = static_cast<const uint8_t*>(data);
    uint32_t sum = 0;
    for (size_t i = 0; i < bytes; i += 2) {
        sum += byte[i] + uint32_t{byte[i + 1]} * 256;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return ~sum & 0xffff;
}

void place(uint64_t at, const Table& table, uint32_t records)
{
    std::vector<uint32_t> words{0x4f49424c, 24, 0, static_cast<uint32_t>(table.size() * 4),
                                sum_of(table.data(), table.size() * 4), records};
    words[2] = sum_of(words.data(), 24);
    words.insert(words.end(), table.begin(), table.end());
    const auto* bytes = reinterpret_cast<const uint8_t*>(words.data());
    memory[at].assign(bytes, bytes + words.size() * 4);
}

const std::vector<uint32_t> two_ranges{0x1000, 0, 0x9f000, 0, 1, 0x100000, 0, 0x7f00000, 0, 1};

}  // namespace

TEST_GROUP(Coreboot)
{
    std::unique_ptr<BootInfo> info = std::make_unique<BootInfo>();
    void setup() override { memory.clear(); }
    const char* read() { return boot::read_coreboot(view, *info); }
};

TEST(Coreboot, gives_map_version_and_rsdp)
{
    Table table;
    add(table, 0x04, {0x35312e34, 0});      // "4.15"
    add(table, 0x01, two_ranges);
    add(table, 0x43, {0xf6000, 0});
    place(0xf0000, table, 3);
    POINTERS_EQUAL(nullptr, read());
    STRCMP_EQUAL("coreboot", info->entry_name);
    STRCMP_EQUAL("4.15", info->firmware);
    LONGS_EQUAL(2, info->memory_map_count);
    UNSIGNED_LONGLONGS_EQUAL(0x7f00000, info->memory_map[1].size_bytes);
    UNSIGNED_LONGLONGS_EQUAL(0xf6000, info->rsdp.raw());
}

TEST(Coreboot, follows_a_forward_record)
{
    Table low;
    add(low, 0x11, {0x7fd0000, 0});
    place(0x500, low, 1);
    Table table;
    add(table, 0x01, two_ranges);
    place(0x7fd0000, table, 1);
    POINTERS_EQUAL(nullptr, read());
    LONGS_EQUAL(2, info->memory_map_count);
}

TEST(Coreboot, takes_its_own_tables_memory_as_reserved)
{
    Table table;
    add(table, 0x01, {0, 0, 0x1000, 0, 16});
    place(0x500, table, 1);
    POINTERS_EQUAL(nullptr, read());
    CHECK(info->memory_map[0].kind == MemoryKind::reserved);
}

TEST(Coreboot, refuses_when_there_is_no_table)
{
    CHECK(read() != nullptr);
}

TEST(Coreboot, refuses_a_table_whose_content_changed)
{
    Table table;
    add(table, 0x01, two_ranges);
    place(0xf0000, table, 1);
    memory[0xf0000][40] ^= 1;
    CHECK(read() != nullptr);
}

TEST(Coreboot, refuses_a_record_that_reaches_out_of_the_table)
{
    Table table{0x01, 4000};
    place(0xf0000, table, 1);
    CHECK(read() != nullptr);
}

TEST(Coreboot, refuses_a_record_that_is_smaller_than_its_header)
{
    Table table{0x99, 0};
    place(0xf0000, table, 1);
    CHECK(read() != nullptr);
}

TEST(Coreboot, refuses_a_forward_record_to_nowhere)
{
    Table table;
    add(table, 0x11, {0x7fd0000, 0});
    place(0xf0000, table, 1);
    CHECK(read() != nullptr);
}

TEST(Coreboot, does_not_follow_a_forward_record_twice)
{
    Table table;
    add(table, 0x11, {0xf0000, 0});
    place(0xf0000, table, 1);
    CHECK(read() != nullptr);
}
