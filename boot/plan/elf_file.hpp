// SPDX-License-Identifier: BSD-2-Clause
// A 64-bit x86 ELF file, taken apart with every offset checked against the file's end. The parts
// point into the file's bytes, which must outlive them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "boot/plan/bytes.hpp"
#include "boot/plan/outcome.hpp"

namespace bulkhead::tool {

struct ElfSegment {
    uint32_t type;
    uint32_t flags;
    uint64_t file_offset;
    uint64_t virtual_address;
    uint64_t physical_address;
    uint64_t memory_bytes;
    View content;  // what the file holds of it
};

struct ElfSection {
    std::string name;
    uint32_t type;
    uint64_t flags;
    uint64_t address;
    uint64_t file_offset;
    uint64_t size_bytes;  // in memory; content is empty for .bss and its like
    uint32_t link;
    View content;
};

struct ElfNote {
    std::string name;
    uint32_t type;
    View description;
};

struct ElfFile {
    View file;
    uint64_t entry;
    uint64_t program_headers_offset;
    std::vector<ElfSegment> segments;
    std::vector<ElfSection> sections;

    [[nodiscard]] const ElfSection* section(std::string_view name) const;
};

[[nodiscard]] bool is_elf(View file);

// A sentence says what is wrong: another machine, 32 bits, truncated, inconsistent.
[[nodiscard]] Outcome<ElfFile> parse_elf(View file);

// The notes in one segment's or section's content.
[[nodiscard]] Outcome<std::vector<ElfNote>> parse_notes(View content);

}  // namespace bulkhead::tool
