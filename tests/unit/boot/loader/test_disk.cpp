// SPDX-License-Identifier: BSD-2-Clause
// From a disk image as the host tool makes it to a slot in memory, with the loaders' own code.
#include "boot/loader/select_slot.hpp"

#include "boot/image/disk_image.cpp"
#include "boot/image/fat.cpp"
#include "boot/loader/boot_state.cpp"
#include "boot/loader/crypto.cpp"
#include "boot/loader/disk_store.cpp"
#include "boot/loader/gpt.cpp"
#include "boot/loader/load.cpp"
#include "boot/loader/select_slot.cpp"
#include "boot/loader/selector.cpp"
#include "boot/loader/slot.cpp"
#include "boot/plan/hash.cpp"
#include "boot/plan/text.cpp"

#include <list>
#include <sodium.h>
#include <string>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;
using namespace bulkhead::loader;

namespace {

constexpr uint64_t mib = 1 << 20;
constexpr uint64_t a_at = 9 * mib;          // behind the table and the EFI system partition
constexpr uint64_t slot_room = 2 * mib;
constexpr uint64_t b_at = a_at + slot_room;
constexpr uint64_t state_at = b_at + slot_room;

tool::Bytes disk_bytes;
std::list<std::vector<uint8_t>> allocated;
std::string said;
uint64_t writes_left;

bool read_disk(void*, uint64_t sector, uint32_t count, void* to)
{
    if ((sector + count) * sector_bytes > disk_bytes.size())
        return false;
    memcpy(to, disk_bytes.data() + sector * sector_bytes, count * sector_bytes);
    return true;
}

bool write_disk(void*, uint64_t sector, uint32_t count, const void* from)
{
    if (writes_left == 0)
        return false;
    --writes_left;
    memcpy(disk_bytes.data() + sector * sector_bytes, from, count * sector_bytes);
    return true;
}

uint64_t allocate(uint64_t bytes, uint64_t, uint64_t)
{
    allocated.emplace_back(bytes + 512);
    return reinterpret_cast<uint64_t>(allocated.back().data());
}

void say(const char* text) { said += text; }

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_GROUP(Disk)
{
    PublicKey key{};
    std::array<uint8_t, 64> secret{};
    LoadedSlot loaded{};
    boot::HandoverSlot slot{};
    boot::Mailbox mailbox{};

    void setup() override
    {
        const std::array<uint8_t, 32> seed{1, 2, 3};
        crypto_sign_ed25519_seed_keypair(key.data(), secret.data(), seed.data());
        allocated.clear();
        said.clear();
        writes_left = ~uint64_t{0};
        make(1);
    }
    tool::Bytes make_slot(uint64_t version, uint64_t plan_bytes = 70'001)
    {
        SlotHeader header{};
        header.magic = slot_magic;
        header.format = slot_format;
        header.header_bytes = sizeof(header);
        header.version = version;
        header.core_bytes = 5000;
        header.core_memory_bytes = 9000;
        header.core_physical = 0x200000;
        header.entry = 0x200040;
        header.plan_offset = 8192;
        header.plan_bytes = plan_bytes;
        header.content_bytes = header.plan_offset + plan_bytes;
        header.tries = 3;
        tool::Bytes content(header.content_bytes);
        for (size_t i = 0; i < content.size(); ++i)
            content[i] = static_cast<uint8_t>(i * 7 + version);
        header.content_sha256 = tool::sha256(content);
        crypto_sign_ed25519_detached(header.signature.data(), nullptr, reinterpret_cast<uint8_t*>(&header),
                                     signed_bytes, secret.data());
        tool::Bytes out;
        tool::append(out, tool::view_of(header));
        out.resize(slot_page_bytes);
        tool::append(out, content);
        tool::pad_to(out, slot_page_bytes);
        return out;
    }
    void make(uint64_t version)
    {
        const tool::Bytes first = make_slot(version);
        const tool::Bytes code(100, 0x90);
        auto made = tool::make_disk({code, code, code, first, {}, slot_room});
        CHECK_TRUE(made.has_value());
        disk_bytes = std::move(made).value();
    }
    void put_b(const tool::Bytes& content, size_t bytes)
    {
        std::copy_n(content.begin(), bytes, disk_bytes.begin() + b_at);
    }
    const char* start()
    {
        allocated.clear();
        const Disk disk{read_disk, write_disk, nullptr, disk_bytes.size() / sector_bytes - 1};
        DiskStore store(disk);
        if (const char* problem = store.open(); problem != nullptr)
            return problem;
        return select_slot(store.store(), key, {allocate, say}, mailbox, loaded, slot);
    }
};

TEST(Disk, starts_its_first_slot)
{
    POINTERS_EQUAL(nullptr, start());
    LONGS_EQUAL(0, slot.number);
    UNSIGNED_LONGLONGS_EQUAL(1, slot.version);
    UNSIGNED_LONGLONGS_EQUAL(70'001, loaded.plan_bytes);
    const auto* plan = reinterpret_cast<const uint8_t*>(loaded.plan);
    LONGS_EQUAL(static_cast<uint8_t>(8192 * 7 + 1), plan[0]);
    LONGS_EQUAL(static_cast<uint8_t>((8192 + 70'000) * 7 + 1), plan[70'000]);
    STRCMP_EQUAL("", said.c_str());
}

TEST(Disk, is_the_same_every_time)
{
    const tool::Bytes before = disk_bytes;
    make(1);
    CHECK(before == disk_bytes);
}

TEST(Disk, starts_the_newer_slot_and_writes_down_that_it_tried)
{
    const tool::Bytes second = make_slot(2);
    put_b(second, second.size());
    POINTERS_EQUAL(nullptr, start());
    LONGS_EQUAL(1, slot.number);
    UNSIGNED_LONGLONGS_EQUAL(1, slot.other_version);
    POINTERS_EQUAL(nullptr, start());
    POINTERS_EQUAL(nullptr, start());
    LONGS_EQUAL(1, slot.number);
    POINTERS_EQUAL(nullptr, start());
    LONGS_EQUAL(0, slot.number);
}

TEST(Disk, starts_the_old_slot_wherever_an_update_is_cut_off)
{
    const tool::Bytes second = make_slot(2);
    const size_t end = slot_page_bytes + 8192 + 70'001;
    for (size_t cut = 0; cut < end; cut += cut < 600 || cut + 20 > end ? 1 : 4999) {
        std::fill_n(disk_bytes.begin() + b_at, second.size(), 0);
        put_b(second, cut);
        POINTERS_EQUAL(nullptr, start());
        LONGS_EQUAL(0, slot.number);
    }
    make(1);
    put_b(second, end);
    POINTERS_EQUAL(nullptr, start());
    LONGS_EQUAL(1, slot.number);
}

TEST(Disk, refuses_a_slot_of_another_key)
{
    const tool::Bytes second = make_slot(2);
    put_b(second, second.size());
    disk_bytes[b_at + offsetof(SlotHeader, signature)] ^= 1;
    POINTERS_EQUAL(nullptr, start());
    LONGS_EQUAL(0, slot.number);
    CHECK(contains(said, "slot B is not started: its signature is not that of this box's key"));
}

TEST(Disk, starts_although_the_state_cannot_be_written_and_says_so)
{
    const tool::Bytes second = make_slot(2);
    put_b(second, second.size());
    writes_left = 0;
    POINTERS_EQUAL(nullptr, start());
    LONGS_EQUAL(1, slot.number);
    CHECK(contains(said, "the state of the slots cannot be written"));
}

TEST(Disk, starts_with_a_state_of_garbage)
{
    std::fill_n(disk_bytes.begin() + state_at, 2 * state_block_bytes, 0xa5);
    POINTERS_EQUAL(nullptr, start());
    LONGS_EQUAL(0, slot.number);
}

TEST(Disk, uses_the_second_table_when_the_first_is_damaged)
{
    disk_bytes[sector_bytes + 40] ^= 1;
    POINTERS_EQUAL(nullptr, start());
    disk_bytes[disk_bytes.size() - sector_bytes + 40] ^= 1;
    STRCMP_EQUAL("the disk has no sound GPT", start());
}

TEST(Disk, says_when_it_has_no_slots)
{
    const Disk disk{read_disk, nullptr, nullptr, disk_bytes.size() / sector_bytes - 1};
    DiskLayout layout;
    POINTERS_EQUAL(nullptr, find_slots(disk, layout));
    UNSIGNED_LONGLONGS_EQUAL(a_at / sector_bytes, layout.slots[0].first);
    UNSIGNED_LONGLONGS_EQUAL(state_at / sector_bytes, layout.state.first);
    disk_bytes[a_at] ^= 1;
    STRCMP_EQUAL("no slot holds an image that may start", start());
}

TEST(Disk, refuses_an_image_that_does_not_fit_its_slots)
{
    const tool::Bytes large = make_slot(1, 3 * mib);
    const tool::Bytes code(100, 0x90);
    CHECK_FALSE(tool::make_disk({code, code, code, large, {}, slot_room}).has_value());
    const tool::Bytes long_code(441, 0x90);
    CHECK_FALSE(tool::make_disk({long_code, code, code, make_slot(1), {}, slot_room}).has_value());
    const tool::Bytes large_loader(9 * mib);
    CHECK_FALSE(tool::make_disk({code, code, large_loader, make_slot(1), {}, slot_room}).has_value());
}

TEST_GROUP(Slot)
{
    SlotHeader header{};
    void setup() override
    {
        header.magic = slot_magic;
        header.format = slot_format;
        header.header_bytes = sizeof(header);
        header.version = 1;
        header.core_bytes = 4096;
        header.core_memory_bytes = 8192;
        header.core_physical = 0x200000;
        header.entry = 0x200040;
        header.plan_offset = 4096;
        header.plan_bytes = 100;
        header.content_bytes = 4196;
    }
    bool is_good(uint64_t room = mib) { return check_slot(header, room) == nullptr; }
};

TEST(Slot, is_good_when_everything_fits)
{
    CHECK_TRUE(is_good());
    CHECK_TRUE(is_good(4096 + 4196));
    CHECK_FALSE(is_good(4096 + 4195));
    CHECK_FALSE(is_good(0));
}

TEST(Slot, of_nothing_is_empty)
{
    header.magic = 0;
    POINTERS_EQUAL(slot_is_empty, check_slot(header, mib));
}

TEST(Slot, is_refused_for_each_impossible_number)
{
    const SlotHeader good = header;
    const auto bad = [&](auto SlotHeader::*field, uint64_t value) {
        header = good;
        header.*field = static_cast<std::remove_reference_t<decltype(header.*field)>>(value);
        CHECK_FALSE(is_good());
    };
    bad(&SlotHeader::format, 2);
    bad(&SlotHeader::header_bytes, 511);
    bad(&SlotHeader::version, 0);
    bad(&SlotHeader::content_bytes, ~uint64_t{0});
    bad(&SlotHeader::core_bytes, 0);
    bad(&SlotHeader::core_bytes, 5000);
    bad(&SlotHeader::core_memory_bytes, 4095);
    bad(&SlotHeader::core_memory_bytes, 3 * mib);
    bad(&SlotHeader::core_physical, 0x200001);
    bad(&SlotHeader::core_physical, 0x100000);
    bad(&SlotHeader::core_physical, 0x500000);
    bad(&SlotHeader::entry, 0x1fffff);
    bad(&SlotHeader::entry, 0x201000);
    bad(&SlotHeader::plan_offset, 0);
    bad(&SlotHeader::plan_offset, 8192);
    bad(&SlotHeader::plan_bytes, 0);
    bad(&SlotHeader::plan_bytes, 101);
}
