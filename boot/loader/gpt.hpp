// SPDX-License-Identifier: BSD-2-Clause
// Where the slots are on a disk: by partition type in its GPT. The first copy of the table is used, and
// the second one if the first is damaged. Source: UEFI Specification 2.10, "GPT Disk Layout".
#pragma once

#include <array>
#include <cstdint>

namespace bulkhead::loader {

inline constexpr uint32_t sector_bytes = 512;

using Guid = std::array<uint8_t, 16>;       // as stored

// 6c5b1b57-5ffd-4b2b-9d1c-8f2d2ad02c01: a slot. ...02: the selector's state.
inline constexpr Guid slot_type{0x57, 0x1b, 0x5b, 0x6c, 0xfd, 0x5f, 0x2b, 0x4b,
                                0x9d, 0x1c, 0x8f, 0x2d, 0x2a, 0xd0, 0x2c, 0x01};
inline constexpr Guid state_type{0x57, 0x1b, 0x5b, 0x6c, 0xfd, 0x5f, 0x2b, 0x4b,
                                 0x9d, 0x1c, 0x8f, 0x2d, 0x2a, 0xd0, 0x2c, 0x02};

struct GptHeader {
    std::array<char, 8> signature;          // "EFI PART"
    uint32_t revision;
    uint32_t header_bytes;
    uint32_t crc32;                         // of header_bytes with this field zero
    uint32_t reserved;
    uint64_t this_sector;
    uint64_t other_sector;
    uint64_t first_usable;
    uint64_t last_usable;
    Guid disk;
    uint64_t entries_sector;
    uint32_t entry_count;
    uint32_t entry_bytes;
    uint32_t entries_crc32;
    uint32_t padding;
};
struct GptEntry {
    Guid type;
    Guid unique;
    uint64_t first_sector;
    uint64_t last_sector;                   // included
    uint64_t attributes;
    std::array<char16_t, 36> name;
};
static_assert(sizeof(GptHeader) == 96 && sizeof(GptEntry) == 128);
inline constexpr uint32_t gpt_header_bytes = 92;

struct SectorRange {
    uint64_t first;
    uint64_t count;                         // 0: there is none
};
struct DiskLayout {
    std::array<SectorRange, 2> slots;
    SectorRange state;
};

// A whole disk, by sectors of 512 bytes. False: the device failed.
struct Disk {
    bool (*read)(void* context, uint64_t sector, uint32_t count, void* to);
    bool (*write)(void* context, uint64_t sector, uint32_t count, const void* from);
    void* context;
    uint64_t last_sector;
};

// Null, or why the disk has no layout of ours, as a sentence.
[[nodiscard]] const char* find_slots(const Disk& disk, DiskLayout& layout);

}  // namespace bulkhead::loader
