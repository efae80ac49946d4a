// SPDX-License-Identifier: BSD-2-Clause
#include "boot/loader/gpt.hpp"

#include "core/crc32.hpp"

#include <cstring>
#include <string_view>

namespace bulkhead::loader {

namespace {

constexpr uint32_t most_entries = 128;
constexpr uint32_t entries_per_sector = sector_bytes / sizeof(GptEntry);

template <class T>
std::span<const uint8_t> bytes_of(const T& record, size_t bytes = sizeof(T))
{
    return {reinterpret_cast<const uint8_t*>(&record), bytes};
}

bool header_is_sound(const GptHeader& header, uint64_t sector)
{
    GptHeader copy = header;
    copy.crc32 = 0;
    return std::string_view(header.signature.data(), header.signature.size()) == "EFI PART"
        && header.header_bytes == gpt_header_bytes && header.this_sector == sector
        && header.crc32 == crc32(bytes_of(copy, gpt_header_bytes)) && header.entry_bytes == sizeof(GptEntry)
        && header.entry_count != 0 && header.entry_count <= most_entries
        && header.entry_count % entries_per_sector == 0;
}

bool entry_is_sound(const GptHeader& header, const GptEntry& entry)
{
    return entry.first_sector >= header.first_usable && entry.first_sector <= entry.last_sector
        && entry.last_sector <= header.last_usable;
}

void take_entry(const GptHeader& header, const GptEntry& entry, DiskLayout& layout)
{
    if (!entry_is_sound(header, entry))
        return;
    const SectorRange range{entry.first_sector, entry.last_sector - entry.first_sector + 1};
    if (entry.type == state_type && layout.state.count == 0)
        layout.state = range;
    if (entry.type != slot_type)
        return;
    for (SectorRange& slot : layout.slots) {
        if (slot.count == 0) {
            slot = range;
            return;
        }
    }
}

// True if the table at this sector is sound and was read.
bool read_table(const Disk& disk, uint64_t sector, DiskLayout& layout)
{
    alignas(8) std::array<uint8_t, sector_bytes> buffer;
    GptHeader header;
    if (!disk.read(disk.context, sector, 1, buffer.data()))
        return false;
    memcpy(&header, buffer.data(), sizeof(header));
    if (!header_is_sound(header, sector) || header.last_usable > disk.last_sector
        || header.entries_sector > disk.last_sector)
        return false;
    layout = {};
    uint32_t crc = 0;
    for (uint32_t i = 0; i < header.entry_count / entries_per_sector; ++i) {
        if (!disk.read(disk.context, header.entries_sector + i, 1, buffer.data()))
            return false;
        crc = crc32(buffer, crc);
        std::array<GptEntry, entries_per_sector> entries;
        memcpy(entries.data(), buffer.data(), sizeof(entries));
        for (const GptEntry& entry : entries)
            take_entry(header, entry, layout);
    }
    return crc == header.entries_crc32;
}

}  // namespace

const char* find_slots(const Disk& disk, DiskLayout& layout)
{
    if (!read_table(disk, 1, layout) && !read_table(disk, disk.last_sector, layout))
        return "the disk has no sound GPT";
    if (layout.slots[0].count == 0 || layout.slots[1].count == 0 || layout.state.count == 0)
        return "the disk has no slots of Bulkhead";
    return nullptr;
}

}  // namespace bulkhead::loader
