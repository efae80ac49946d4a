// SPDX-License-Identifier: BSD-2-Clause
// The Multiboot2 hand-over, sound and broken at every length.
#include "boot/loader_view.hpp"

#include "boot/memory_map.cpp"
#include "boot/multiboot2.cpp"
#include "boot/pvh.cpp"

#include "fake_physical.hpp"

#include <memory>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

namespace {

constexpr uint64_t information_at = 0x10200;

// Builds the information as GRUB does: header, tags padded to 8 bytes, end tag.
struct Builder {
    std::vector<uint8_t> bytes = std::vector<uint8_t>(8);

    template <class T>
    void add(const T& value)
    {
        const auto* first = reinterpret_cast<const uint8_t*>(&value);
        bytes.insert(bytes.end(), first, first + sizeof(T));
    }
    void tag(uint32_t type, const std::vector<uint8_t>& content)
    {
        add(type);
        add(static_cast<uint32_t>(8 + content.size()));
        bytes.insert(bytes.end(), content.begin(), content.end());
        while (bytes.size() % 8 != 0)
            bytes.push_back(0);
    }
    void text(uint32_t type, std::string_view content)
    {
        std::vector<uint8_t> with_zero(content.begin(), content.end());
        with_zero.push_back(0);
        tag(type, with_zero);
    }
    void map(uint32_t entry_size, const std::vector<std::array<uint64_t, 3>>& entries)
    {
        Builder content;
        content.bytes.clear();
        content.add(entry_size);
        content.add(uint32_t{0});
        for (const auto& entry : entries) {
            content.add(entry);
            for (uint32_t extra = 24; extra < entry_size; ++extra)
                content.add(uint8_t{0xee});
        }
        tag(6, content.bytes);
    }
    void finish()
    {
        tag(0, {});
        const auto total = static_cast<uint32_t>(bytes.size());
        std::memcpy(bytes.data(), &total, sizeof(total));
    }
};

}  // namespace

TEST_GROUP(Multiboot2)
{
    Builder builder;
    std::unique_ptr<BootInfo> info = std::make_unique<BootInfo>();

    void setup() override { fake_physical::reset(); }

    const char* read()
    {
        std::memcpy(fake_physical::memory.data() + (information_at - fake_physical::begin), builder.bytes.data(),
                    builder.bytes.size());
        return boot::read_multiboot2(fake_physical::view, information_at, *info);
    }
    void build_typical()
    {
        builder.text(1, "alpha beta");
        builder.text(2, "GRUB 2.06");
        builder.map(24, {{0, 0x9fc00, 1}, {0x100000, 0x7ff00000, 1}, {0xfffc0000, 0x40000, 2}});
        builder.tag(14, std::vector<uint8_t>(20));
        builder.tag(15, std::vector<uint8_t>(36));
        builder.finish();
    }
};

TEST(Multiboot2, gives_map_texts_and_the_newer_rsdp)
{
    build_typical();
    POINTERS_EQUAL(nullptr, read());
    STRCMP_EQUAL("Multiboot2", info->entry_name);
    STRCMP_EQUAL("GRUB 2.06", info->firmware);
    STRCMP_EQUAL("alpha beta", info->command_line.data());
    LONGS_EQUAL(3, info->memory_map_count);
    // The last tag before the end one holds it.
    UNSIGNED_LONGLONGS_EQUAL(information_at + builder.bytes.size() - 8 - 40, info->rsdp.raw());
}

TEST(Multiboot2, takes_the_old_rsdp_where_there_is_no_newer_one)
{
    builder.map(24, {{0, 0x9fc00, 1}});
    builder.tag(14, std::vector<uint8_t>(20));
    builder.finish();
    POINTERS_EQUAL(nullptr, read());
    CHECK(info->rsdp.raw() != 0);
}

TEST(Multiboot2, steps_over_larger_entries_of_the_map)
{
    builder.map(32, {{0, 0x1000, 1}, {0x100000, 0x1000, 2}});
    builder.finish();
    POINTERS_EQUAL(nullptr, read());
    LONGS_EQUAL(2, info->memory_map_count);
    CHECK(info->memory_map[1].kind == MemoryKind::reserved);
}

TEST(Multiboot2, refuses_information_without_a_map)
{
    builder.text(1, "x");
    builder.finish();
    CHECK(read() != nullptr);
}

TEST(Multiboot2, refuses_entries_of_the_map_that_are_too_small)
{
    builder.map(24, {{0, 0x1000, 1}});
    builder.bytes[16] = 8;
    builder.finish();
    CHECK(read() != nullptr);
    builder.bytes[16] = 0;
    CHECK(read() != nullptr);
}

TEST(Multiboot2, refuses_tags_that_do_not_fit)
{
    build_typical();
    builder.bytes[12] = 4;      // smaller than its own header
    CHECK(read() != nullptr);
    builder.bytes[12] = 0xff;   // beyond the end
    builder.bytes[13] = 0xff;
    CHECK(read() != nullptr);
}

TEST(Multiboot2, refuses_a_total_size_that_makes_no_sense)
{
    build_typical();
    builder.bytes[3] = 0x7f;
    CHECK(read() != nullptr);
}

TEST(Multiboot2, refuses_a_misaligned_or_unreadable_address)
{
    build_typical();
    static_cast<void>(read());
    CHECK(boot::read_multiboot2(fake_physical::view, information_at + 4, *info) != nullptr);
    CHECK(boot::read_multiboot2(fake_physical::view, 0, *info) != nullptr);
}

TEST(Multiboot2, survives_being_cut_off_anywhere)
{
    build_typical();
    const size_t whole = builder.bytes.size();
    for (size_t total = 0; total < whole; ++total) {
        const auto claimed = static_cast<uint32_t>(total);
        std::memcpy(builder.bytes.data(), &claimed, sizeof(claimed));
        static_cast<void>(read());
    }
    // The same when memory ends there.
    const auto claimed = static_cast<uint32_t>(whole);
    std::memcpy(builder.bytes.data(), &claimed, sizeof(claimed));
    static_cast<void>(read());
    for (size_t kept = 0; kept < whole; ++kept) {
        fake_physical::memory.resize(information_at - fake_physical::begin + kept);
        fake_physical::memory.shrink_to_fit();
        static_cast<void>(boot::read_multiboot2(fake_physical::view, information_at, *info));
        fake_physical::memory.resize(0x2000);
        static_cast<void>(read());
    }
}
