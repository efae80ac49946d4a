// SPDX-License-Identifier: BSD-2-Clause
// The fields of a PE32+ file that the host tool writes and the UEFI loader reads of itself.
// Source: Microsoft, "PE Format".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bulkhead::loader::pe {

inline constexpr uint32_t header_offset_at = 0x3c;
inline constexpr uint32_t signature = 0x4550;       // "PE\0\0"
inline constexpr std::array<char, 8> slot_section{'.', 's', 'l', 'o', 't'};

struct FileHeader {
    uint32_t signature;
    uint16_t machine;
    uint16_t section_count;
    uint32_t time;
    uint32_t symbols;
    uint32_t symbol_count;
    uint16_t optional_bytes;
    uint16_t characteristics;
};
struct DataDirectory {
    uint32_t address;
    uint32_t bytes;
};
struct OptionalHeader {
    uint16_t magic;             // 0x20b
    std::array<uint8_t, 2> linker_version;
    uint32_t code_bytes;
    uint32_t initialized_bytes;
    uint32_t uninitialized_bytes;
    uint32_t entry;
    uint32_t code_base;
    uint64_t image_base;
    uint32_t section_alignment;
    uint32_t file_alignment;
    std::array<uint16_t, 6> versions;
    uint32_t reserved;
    uint32_t image_bytes;
    uint32_t headers_bytes;
    uint32_t checksum;
    uint16_t subsystem;
    uint16_t dll_characteristics;
    std::array<uint64_t, 4> stack_and_heap;
    uint32_t loader_flags;
    uint32_t directory_count;
    std::array<DataDirectory, 16> directories;
};
struct Section {
    std::array<char, 8> name;
    uint32_t memory_bytes;
    uint32_t address;
    uint32_t file_bytes;
    uint32_t file_offset;
    std::array<uint32_t, 2> tables;
    std::array<uint16_t, 2> counts;
    uint32_t characteristics;
};
static_assert(sizeof(FileHeader) == 24 && sizeof(OptionalHeader) == 240 && sizeof(Section) == 40);
static_assert(offsetof(OptionalHeader, image_bytes) == 56 && offsetof(OptionalHeader, checksum) == 64);

}  // namespace bulkhead::loader::pe
