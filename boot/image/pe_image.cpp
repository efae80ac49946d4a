// SPDX-License-Identifier: BSD-2-Clause
// Source: Microsoft, "PE Format"; UEFI Specification 2.10, "UEFI Images". The file's layout is that of
// memory: every section at the same offset as its address, so nothing has to be moved.
#include "boot/image/pe_image.hpp"

#include <elf.h>

#include "boot/loader/pe.hpp"
#include "boot/plan/elf_file.hpp"

namespace bulkhead::tool {

namespace {

namespace pe = loader::pe;

constexpr uint32_t page = 4096;
constexpr uint32_t pe_at = 0x40;
constexpr uint16_t machine_x64 = 0x8664;
constexpr uint16_t executable_large_address = 0x0022;
constexpr uint16_t efi_application = 10;
constexpr uint16_t nx_compatible = 0x0100;
constexpr uint32_t code = 0x6000'0020;              // code, execute, read
constexpr uint32_t read_only = 0x4000'0040;         // initialised data, read
constexpr uint32_t read_write = 0xc000'0040;
constexpr uint32_t relocations = 0x4200'0040;       // discardable
constexpr size_t relocation_directory = 5;

struct Part {
    std::array<char, 8> name;
    uint64_t address;
    uint64_t memory_bytes;
    View content;
    uint32_t characteristics;
};

uint64_t rounded(uint64_t bytes) { return (bytes + page - 1) / page * page; }

// One block without a relocation: some firmware refuses an image that has none at all.
constexpr std::array<uint32_t, 3> no_relocations{0, 12, 0};

// Checksum of the whole file with its own field zero. Source: IMAGEHLP's CheckSumMappedFile().
uint32_t checksum(View file)
{
    uint64_t sum = 0;
    for (size_t i = 0; i + 1 < file.size(); i += 2) {
        sum += file[i] | uint32_t{file[i + 1]} << 8;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<uint32_t>(sum + file.size());
}

Outcome<std::vector<Part>> parts_of(const ElfFile& elf)
{
    std::vector<Part> parts;
    for (const auto& segment : elf.segments) {
        if (segment.type != PT_LOAD || segment.memory_bytes == 0)
            continue;
        if (segment.virtual_address % page != 0)
            return refuse("has a segment that does not begin at a page");
        if ((segment.flags & PF_X) != 0)
            parts.push_back({{".text"}, segment.virtual_address, segment.memory_bytes, segment.content, code});
        else if ((segment.flags & PF_W) != 0)
            parts.push_back({{".data"}, segment.virtual_address, segment.memory_bytes, segment.content, read_write});
        else
            parts.push_back({{".rdata"}, segment.virtual_address, segment.memory_bytes, segment.content, read_only});
    }
    if (parts.empty())
        return refuse("has nothing to load");
    return parts;
}

pe::OptionalHeader optional_header(const std::vector<Part>& parts, uint64_t entry)
{
    pe::OptionalHeader header{};
    header.magic = 0x20b;
    header.entry = static_cast<uint32_t>(entry);
    header.section_alignment = page;
    header.file_alignment = page;
    header.headers_bytes = page;
    header.subsystem = efi_application;
    header.dll_characteristics = nx_compatible;
    header.directory_count = static_cast<uint32_t>(header.directories.size());
    for (const auto& part : parts) {
        const auto bytes = static_cast<uint32_t>(rounded(part.memory_bytes));
        (part.characteristics == code ? header.code_bytes : header.initialized_bytes) += bytes;
        if (part.characteristics == code)
            header.code_base = static_cast<uint32_t>(part.address);
        if (part.characteristics == relocations)
            header.directories[relocation_directory] = {static_cast<uint32_t>(part.address),
                                                        static_cast<uint32_t>(part.memory_bytes)};
        header.image_bytes = static_cast<uint32_t>(part.address) + bytes;
    }
    return header;
}

}  // namespace

Outcome<Bytes> make_efi(View loader_elf, View slot)
{
    const auto elf = ATTEMPT(parse_elf(loader_elf));
    auto parts = ATTEMPT(parts_of(elf));
    const auto next = [&parts] { return rounded(parts.back().address + parts.back().memory_bytes); };
    parts.push_back({{".reloc"}, next(), sizeof(no_relocations), view_of(no_relocations), relocations});
    if (!slot.empty())
        parts.push_back({pe::slot_section, next(), slot.size(), slot, read_only});
    if (next() > uint64_t{1} << 31)
        return refuse("would be ", Size{next()}, " as a UEFI application; at most 2 GiB are possible");

    Bytes file(pe_at);
    file[0] = 'M';
    file[1] = 'Z';
    file[pe::header_offset_at] = pe_at;
    pe::FileHeader header{};
    header.signature = pe::signature;
    header.machine = machine_x64;
    header.section_count = static_cast<uint16_t>(parts.size());
    header.optional_bytes = sizeof(pe::OptionalHeader);
    header.characteristics = executable_large_address;
    append(file, view_of(header));
    append(file, view_of(optional_header(parts, elf.entry)));
    for (const auto& part : parts) {
        pe::Section section{};
        section.name = part.name;
        section.memory_bytes = static_cast<uint32_t>(part.memory_bytes);
        section.address = static_cast<uint32_t>(part.address);
        section.file_bytes = static_cast<uint32_t>(rounded(part.memory_bytes));
        section.file_offset = section.address;
        section.characteristics = part.characteristics;
        append(file, view_of(section));
    }
    for (const auto& part : parts) {
        file.resize(part.address);
        append(file, part.content);
        file.resize(part.address + rounded(part.memory_bytes));
    }
    const uint32_t sum = checksum(file);
    std::memcpy(file.data() + pe_at + sizeof(header) + offsetof(pe::OptionalHeader, checksum), &sum, sizeof(sum));
    return file;
}

}  // namespace bulkhead::tool
