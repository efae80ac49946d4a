// SPDX-License-Identifier: BSD-2-Clause
// Source: System V ABI, "Sections" and "Symbol Table".
#include "boot/plan/slim_elf.hpp"

#include <algorithm>
#include <elf.h>

namespace bulkhead::tool {

namespace {

constexpr size_t dropped = ~size_t{0};

bool is_kept(const ElfFile& elf, size_t index, uint16_t names_index)
{
    const auto& section = elf.sections[index];
    return index == 0 || index == names_index || (section.flags & SHF_ALLOC) != 0 || section.type == SHT_SYMTAB ||
           section.name == ".strtab";
}

// The new index of each section, or `dropped`.
std::vector<size_t> renumbered(const ElfFile& elf, uint16_t names_index)
{
    std::vector<size_t> numbers;
    size_t next = 0;
    for (size_t i = 0; i < elf.sections.size(); ++i)
        numbers.push_back(is_kept(elf, i, names_index) ? next++ : dropped);
    return numbers;
}

Bytes renumber_symbols(View content, const std::vector<size_t>& numbers)
{
    Bytes out;
    for (uint64_t offset = 0; offset + sizeof(Elf64_Sym) <= content.size(); offset += sizeof(Elf64_Sym)) {
        auto symbol = *read_at<Elf64_Sym>(content, offset);
        if (symbol.st_shndx < numbers.size()) {
            const size_t number = numbers[symbol.st_shndx];
            symbol.st_shndx = number == dropped ? uint16_t{SHN_ABS} : static_cast<uint16_t>(number);
        }
        append(out, view_of(symbol));
    }
    return out;
}

uint64_t end_of_loaded(const ElfFile& elf)
{
    uint64_t end = elf.program_headers_offset + elf.segments.size() * sizeof(Elf64_Phdr);
    for (const auto& segment : elf.segments)
        if (!segment.content.empty())
            end = std::max(end, segment.file_offset + segment.content.size());
    return end;
}

}  // namespace

Bytes without_debug_sections(const ElfFile& elf)
{
    auto header = *read_at<Elf64_Ehdr>(elf.file, 0);
    const auto numbers = renumbered(elf, header.e_shstrndx);
    const uint64_t end = std::min<uint64_t>(elf.file.size(), end_of_loaded(elf));
    Bytes out(elf.file.begin(), elf.file.begin() + static_cast<ptrdiff_t>(end));
    std::vector<Elf64_Shdr> kept;
    for (size_t i = 0; i < elf.sections.size(); ++i) {
        if (numbers[i] == dropped)
            continue;
        auto section = *read_at<Elf64_Shdr>(elf.file, header.e_shoff + i * sizeof(Elf64_Shdr));
        if (section.sh_link < numbers.size())
            section.sh_link = numbers[section.sh_link] == dropped ? 0 : static_cast<uint32_t>(numbers[section.sh_link]);
        if (i != 0 && (section.sh_flags & SHF_ALLOC) == 0) {
            const auto& content = elf.sections[i].content;
            pad_to(out, 8);
            section.sh_offset = out.size();
            if (section.sh_type == SHT_SYMTAB)
                append(out, renumber_symbols(content, numbers));
            else
                append(out, content);
        }
        kept.push_back(section);
    }
    pad_to(out, 8);
    header.e_shoff = kept.empty() ? 0 : out.size();
    header.e_shnum = static_cast<uint16_t>(kept.size());
    const bool has_names = header.e_shstrndx < numbers.size();
    header.e_shstrndx = has_names ? static_cast<uint16_t>(numbers[header.e_shstrndx]) : uint16_t{0};
    append(out, view_of(kept));
    std::copy_n(view_of(header).begin(), sizeof(header), out.begin());
    return out;
}

}  // namespace bulkhead::tool
