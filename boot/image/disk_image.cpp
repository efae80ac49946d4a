// SPDX-License-Identifier: BSD-2-Clause
// Source: UEFI Specification 2.10, "GUID Partition Table (GPT) Disk Layout"; IBM PC partition table.
// Nothing here is random: identifiers come from the content, so that equal input makes equal disks.
#include "boot/image/disk_image.hpp"

#include <algorithm>
#include <array>

#include "boot/image/fat.hpp"
#include "boot/loader/gpt.hpp"
#include "boot/loader/boot_state.hpp"
#include "boot/plan/hash.hpp"
#include "core/types.hpp"

namespace bulkhead::tool {

namespace {

using loader::Guid;
using loader::sector_bytes;

constexpr uint64_t mib = 1 << 20;
constexpr uint64_t mib_sectors = mib / sector_bytes;
constexpr uint32_t entry_count = 128;
constexpr uint32_t entries_sectors = entry_count * sizeof(loader::GptEntry) / sector_bytes;
constexpr uint64_t first_usable = mib_sectors;
constexpr uint64_t efi_mib = 8;
constexpr uint64_t state_mib = 1;
constexpr size_t boot_code_bytes = 440;
constexpr size_t partition_table_at = 446;

// c12a7328-f81f-11d2-ba4b-00a0c93ec93b
constexpr Guid efi_system{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b};

struct [[gnu::packed]] MbrEntry {
    uint8_t status;
    std::array<uint8_t, 3> first_chs;
    uint8_t type;
    std::array<uint8_t, 3> last_chs;
    uint32_t first_sector;
    uint32_t sectors;
};
static_assert(sizeof(MbrEntry) == 16);

template <class T>
void put(Bytes& disk, uint64_t offset, const T& record)
{
    const View bytes = view_of(record);
    std::copy(bytes.begin(), bytes.end(), disk.begin() + static_cast<ptrdiff_t>(offset));
}

void put_bytes(Bytes& disk, uint64_t offset, View bytes)
{
    std::copy(bytes.begin(), bytes.end(), disk.begin() + static_cast<ptrdiff_t>(offset));
}

Guid guid_for(View content, uint8_t number)
{
    const auto hash = sha256(content);
    Guid guid;
    std::copy_n(hash.begin(), guid.size(), guid.begin());
    guid[0] = static_cast<uint8_t>(guid[0] + number);
    guid[7] = static_cast<uint8_t>((guid[7] & 0x0f) | 0x40);
    guid[8] = static_cast<uint8_t>((guid[8] & 0x3f) | 0x80);
    return guid;
}

struct Partition {
    Guid type;
    std::u16string_view name;
    uint64_t first;
    uint64_t count;
};

// The protective entry that UEFI asks for, and one that is active, without which some BIOSes do not
// start a disk; it covers the second stage, which no partition does.
void put_mbr(Bytes& disk, View boot_sector)
{
    const uint64_t sectors = disk.size() / sector_bytes;
    put_bytes(disk, 0, boot_sector);
    const auto covered = static_cast<uint32_t>(std::min<uint64_t>(sectors - 1, 0xffff'ffff));
    put(disk, partition_table_at, MbrEntry{0, {0x00, 0x02, 0x00}, 0xee, {0xff, 0xff, 0xff}, 1, covered});
    put(disk, partition_table_at + sizeof(MbrEntry),
        MbrEntry{0x80, {0xff, 0xff, 0xff}, 0x7f, {0xff, 0xff, 0xff}, second_stage_sector,
                 static_cast<uint32_t>(first_usable) - second_stage_sector});
    constexpr std::array<uint8_t, 2> mark{0x55, 0xaa};
    put(disk, 510, mark);
}

void put_gpt(Bytes& disk, const std::array<Partition, 4>& partitions, View identity)
{
    const uint64_t last = disk.size() / sector_bytes - 1;
    std::vector<loader::GptEntry> entries(entry_count);
    for (size_t i = 0; i < partitions.size(); ++i) {
        loader::GptEntry& entry = entries[i];
        entry.type = partitions[i].type;
        entry.unique = guid_for(identity, static_cast<uint8_t>(i + 1));
        entry.first_sector = partitions[i].first;
        entry.last_sector = partitions[i].first + partitions[i].count - 1;
        std::copy(partitions[i].name.begin(), partitions[i].name.end(), entry.name.begin());
    }
    loader::GptHeader header{};
    constexpr std::string_view signature = "EFI PART";
    std::copy(signature.begin(), signature.end(), header.signature.begin());
    header.revision = 0x10000;
    header.header_bytes = loader::gpt_header_bytes;
    header.first_usable = first_usable;
    header.last_usable = last - entries_sectors - 1;
    header.disk = guid_for(identity, 0);
    header.entry_count = entry_count;
    header.entry_bytes = sizeof(loader::GptEntry);
    header.entries_crc32 = crc32_of(view_of(entries));
    const auto place = [&](uint64_t sector, uint64_t other, uint64_t entries_at) {
        header.this_sector = sector;
        header.other_sector = other;
        header.entries_sector = entries_at;
        header.crc32 = 0;
        header.crc32 = crc32_of(view_of(header).first(loader::gpt_header_bytes));
        put_bytes(disk, sector * sector_bytes, view_of(header).first(loader::gpt_header_bytes));
        put_bytes(disk, entries_at * sector_bytes, view_of(entries));
    };
    place(1, last, 2);
    place(last, 1, last - entries_sectors);
}

uint64_t room_for(uint64_t bytes)
{
    constexpr uint64_t least_mib = 16;
    return std::max(least_mib * mib, align_up(bytes + bytes / 4, 4 * mib));
}

}  // namespace

Outcome<Bytes> make_disk(const DiskParts& parts)
{
    const uint64_t most = std::max(parts.slot_a.size(), parts.slot_b.size());
    const uint64_t slot_bytes = parts.slot_bytes != 0 ? align_up(parts.slot_bytes, mib) : room_for(most);
    if (most > slot_bytes)
        return refuse("the image has ", Size{most}, "; a slot of the disk has ", Size{slot_bytes});
    if (parts.boot_sector.size() > boot_code_bytes)
        return refuse("the boot sector has ", Size{parts.boot_sector.size()}, " of code; there is room for ",
                      Size{boot_code_bytes});
    if (parts.second_stage.size() > (first_usable - second_stage_sector) * sector_bytes)
        return refuse("the second stage has ", Size{parts.second_stage.size()}, "; it does not fit before the partitions");

    const uint64_t slot_sectors = slot_bytes / sector_bytes;
    const uint64_t efi_at = first_usable;
    const uint64_t a_at = efi_at + efi_mib * mib_sectors;
    const uint64_t b_at = a_at + slot_sectors;
    const uint64_t state_at = b_at + slot_sectors;
    const uint64_t end = state_at + state_mib * mib_sectors;
    Bytes disk((end + mib_sectors) * sector_bytes);
    put_mbr(disk, parts.boot_sector);
    put_gpt(disk, {{{efi_system, u"EFI system", efi_at, efi_mib * mib_sectors},
                    {loader::slot_type, u"bulkhead-a", a_at, slot_sectors},
                    {loader::slot_type, u"bulkhead-b", b_at, slot_sectors},
                    {loader::state_type, u"bulkhead-state", state_at, state_mib * mib_sectors}}},
            parts.slot_a.first(std::min<size_t>(parts.slot_a.size(), loader::state_block_bytes)));
    put_bytes(disk, second_stage_sector * sector_bytes, parts.second_stage);
    const Bytes volume = ATTEMPT(make_fat(parts.efi_file, efi_mib * mib_sectors, static_cast<uint32_t>(efi_at)));
    put_bytes(disk, efi_at * sector_bytes, volume);
    put_bytes(disk, a_at * sector_bytes, parts.slot_a);
    put_bytes(disk, b_at * sector_bytes, parts.slot_b);
    return disk;
}

}  // namespace bulkhead::tool
