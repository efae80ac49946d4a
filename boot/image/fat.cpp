// SPDX-License-Identifier: BSD-2-Clause
// Source: Microsoft, "FAT32 File System Specification" (FAT: General Overview of On-Disk Format).
#include "boot/image/fat.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace bulkhead::tool {

namespace {

constexpr uint32_t sector = 512;
constexpr uint32_t reserved_sectors = 1;
constexpr uint32_t fats = 2;
constexpr uint32_t root_entries = 512;
constexpr uint32_t entry_bytes = 32;
constexpr uint32_t root_sectors = root_entries * entry_bytes / sector;
constexpr uint32_t first_cluster = 2;
constexpr uint32_t fewest_clusters = 4085;      // below it is FAT12
constexpr uint32_t most_clusters = 65524;       // above it is FAT32
constexpr uint16_t end_of_chain = 0xffff;
constexpr uint8_t is_folder = 0x10;

struct [[gnu::packed]] BootSector {
    std::array<uint8_t, 3> jump{0xeb, 0x3c, 0x90};
    std::array<char, 8> maker{'B', 'U', 'L', 'K', 'H', 'E', 'A', 'D'};
    uint16_t sector_bytes = sector;
    uint8_t cluster_sectors = 1;
    uint16_t reserved = reserved_sectors;
    uint8_t fat_count = fats;
    uint16_t root_entry_count = root_entries;
    uint16_t sectors_16 = 0;
    uint8_t media = 0xf8;
    uint16_t fat_sectors = 0;
    uint16_t track_sectors = 63;
    uint16_t heads = 255;
    uint32_t hidden_sectors = 0;
    uint32_t sectors_32 = 0;
    uint8_t drive = 0x80;
    uint8_t unused = 0;
    uint8_t extended = 0x29;
    uint32_t serial = 0x42554c4b;
    std::array<char, 11> label{'B', 'U', 'L', 'K', 'H', 'E', 'A', 'D', ' ', ' ', ' '};
    std::array<char, 8> type{'F', 'A', 'T', '1', '6', ' ', ' ', ' '};
};
static_assert(sizeof(BootSector) == 62);

struct [[gnu::packed]] FolderEntry {
    std::array<char, 11> name;
    uint8_t attributes;
    std::array<uint8_t, 8> times;
    uint16_t cluster_high;
    uint16_t time;
    uint16_t date;
    uint16_t cluster;
    uint32_t bytes;
};
static_assert(sizeof(FolderEntry) == entry_bytes);

FolderEntry entry(std::string_view name, uint8_t attributes, uint32_t cluster, uint32_t bytes)
{
    constexpr uint16_t first_of_1980 = 0x21;
    FolderEntry out{};
    std::copy_n(name.begin(), out.name.size(), out.name.begin());
    out.attributes = attributes;
    out.date = first_of_1980;
    out.cluster = static_cast<uint16_t>(cluster);
    out.bytes = bytes;
    return out;
}

template <class T>
void put_record(Bytes& to, uint64_t offset, const T& record)
{
    const View bytes = view_of(record);
    std::copy(bytes.begin(), bytes.end(), to.begin() + static_cast<ptrdiff_t>(offset));
}

class Volume {
public:
    Volume(uint32_t sectors, uint32_t fat_sectors)
        : bytes_(uint64_t{sectors} * sector), fat_(fat_sectors),
          data_(reserved_sectors + fats * fat_sectors + root_sectors)
    {
        link(0, 0xfff8);
        link(1, end_of_chain);
    }
    // A chain of its own for these bytes, from the next free cluster on.
    uint32_t add(View content)
    {
        const uint32_t begin = next_;
        put_at(cluster_offset(begin), content);
        next_ += std::max<uint32_t>(1, static_cast<uint32_t>((content.size() + sector - 1) / sector));
        for (uint32_t i = begin; i + 1 < next_; ++i)
            link(i, static_cast<uint16_t>(i + 1));
        link(next_ - 1, end_of_chain);
        return begin;
    }
    void put_at(uint64_t offset, View content)
    {
        std::copy(content.begin(), content.end(), bytes_.begin() + static_cast<ptrdiff_t>(offset));
    }
    [[nodiscard]] uint64_t cluster_offset(uint32_t cluster) const
    {
        return uint64_t{data_ + cluster - first_cluster} * sector;
    }
    [[nodiscard]] uint64_t root_offset() const { return uint64_t{reserved_sectors + fats * fat_} * sector; }
    Bytes take() { return std::move(bytes_); }

private:
    void link(uint32_t cluster, uint16_t to)
    {
        for (uint32_t i = 0; i < fats; ++i)
            put_record(bytes_, uint64_t{reserved_sectors + i * fat_} * sector + cluster * 2, to);
    }

    Bytes bytes_;
    uint32_t fat_;
    uint32_t data_;
    uint32_t next_ = first_cluster;
};

std::array<FolderEntry, 3> folder(uint32_t own, uint32_t parent, const FolderEntry& child)
{
    return {entry(".          ", is_folder, own, 0), entry("..         ", is_folder, parent, 0), child};
}

}  // namespace

Outcome<Bytes> make_fat(View boot_file, uint32_t sectors, uint32_t hidden_sectors)
{
    const uint32_t fat_sectors = (sectors * 2 + sector - 1) / sector;
    const uint32_t clusters = sectors - reserved_sectors - fats * fat_sectors - root_sectors;
    if (clusters < fewest_clusters || clusters > most_clusters)
        return refuse("a FAT16 volume cannot have ", Size{uint64_t{sectors} * sector});
    if (boot_file.size() > uint64_t{clusters - 2} * sector)
        return refuse("the UEFI loader has ", Size{boot_file.size()}, "; its volume holds ",
                      Size{uint64_t{clusters - 2} * sector});
    Volume volume(sectors, fat_sectors);
    BootSector boot{};
    boot.fat_sectors = static_cast<uint16_t>(fat_sectors);
    boot.sectors_16 = sectors < 0x10000 ? static_cast<uint16_t>(sectors) : uint16_t{0};
    boot.sectors_32 = sectors < 0x10000 ? 0 : sectors;
    boot.hidden_sectors = hidden_sectors;
    volume.put_at(0, view_of(boot));
    constexpr std::array<uint8_t, 2> mark{0x55, 0xaa};
    volume.put_at(510, mark);

    // The folders' clusters come first, the file's behind them.
    const uint32_t efi = first_cluster;
    const uint32_t boot_folder = first_cluster + 1;
    const auto efi_content = folder(efi, 0, entry("BOOT       ", is_folder, boot_folder, 0));
    const auto boot_content = folder(boot_folder, efi, entry("BOOTX64 EFI", 0, first_cluster + 2,
                                                             static_cast<uint32_t>(boot_file.size())));
    volume.add(view_of(efi_content));
    volume.add(view_of(boot_content));
    volume.add(boot_file);
    volume.put_at(volume.root_offset(), view_of(entry("EFI        ", is_folder, efi, 0)));
    return volume.take();
}

}  // namespace bulkhead::tool
