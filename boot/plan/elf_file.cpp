// SPDX-License-Identifier: BSD-2-Clause
// Source: System V ABI, "Object Files" (ELF-64), as in <elf.h>.
#include "boot/plan/elf_file.hpp"

#include <array>
#include <elf.h>

namespace bulkhead::tool {

namespace {

constexpr uint16_t most_program_headers = 1024;
constexpr size_t most_notes = 4096;

Outcome<Elf64_Ehdr> parse_header(View file)
{
    if (!is_elf(file))
        return refuse("is not an ELF file");
    const auto ident = slice(file, 0, EI_NIDENT);
    if (!ident)
        return refuse("is truncated: it ends inside the ELF header");
    if ((*ident)[EI_CLASS] == ELFCLASS32)
        return refuse("is a 32-bit ELF file; a 64-bit one (x86-64) is needed");
    if ((*ident)[EI_CLASS] != ELFCLASS64 || (*ident)[EI_DATA] != ELFDATA2LSB)
        return refuse("is not a 64-bit little-endian ELF file; one for x86-64 is needed");
    const auto header = read_at<Elf64_Ehdr>(file, 0);
    if (!header)
        return refuse("is truncated: it ends inside the ELF header");
    if (header->e_machine != EM_X86_64)
        return refuse("is an ELF file for machine type ", header->e_machine, "; x86-64 (62) is needed");
    if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
        return refuse("is an ELF file of type ", header->e_type, "; a linked program (2 or 3) is needed");
    return *header;
}

Outcome<ElfSegment> parse_segment(View file, const Elf64_Phdr& header, unsigned index)
{
    const auto content = slice(file, header.p_offset, header.p_filesz);
    if (!content)
        return refuse("is truncated: program header ", index, " needs ", header.p_filesz, " bytes at ",
                      Hex{header.p_offset}, ", the file has ", file.size());
    if (header.p_type == PT_LOAD) {
        if (header.p_filesz > header.p_memsz)
            return refuse("is damaged: program header ", index, " has more bytes in the file than in memory");
        if (header.p_paddr + header.p_memsz < header.p_paddr || header.p_vaddr + header.p_memsz < header.p_vaddr)
            return refuse("is damaged: program header ", index, " runs past the end of the address space");
    }
    return ElfSegment{header.p_type,  header.p_flags, header.p_offset, header.p_vaddr,
                      header.p_paddr, header.p_memsz, *content};
}

Outcome<std::vector<ElfSegment>> parse_segments(View file, const Elf64_Ehdr& header)
{
    std::vector<ElfSegment> segments;
    if (header.e_phnum == 0)
        return segments;
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > most_program_headers)
        return refuse("is damaged: it has ", header.e_phnum, " program headers of ", header.e_phentsize, " bytes");
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        const auto entry = read_at<Elf64_Phdr>(file, header.e_phoff + i * sizeof(Elf64_Phdr));
        if (!entry || header.e_phoff > file.size())
            return refuse("is truncated: it ends before program header ", i, " of ", header.e_phnum);
        segments.push_back(ATTEMPT(parse_segment(file, *entry, i)));
    }
    return segments;
}

std::string name_at(View names, uint64_t offset)
{
    std::string out;
    while (offset < names.size() && names[offset] != 0 && out.size() < 256)
        out += static_cast<char>(names[offset++]);
    return out;
}

Outcome<std::vector<ElfSection>> parse_sections(View file, const Elf64_Ehdr& header)
{
    std::vector<ElfSection> sections;
    if (header.e_shoff == 0 || header.e_shnum == 0)
        return sections;
    if (header.e_shentsize != sizeof(Elf64_Shdr))
        return refuse("is damaged: its section headers have ", header.e_shentsize, " bytes each");
    std::vector<uint32_t> name_offsets;
    for (unsigned i = 0; i < header.e_shnum; ++i) {
        const auto entry = read_at<Elf64_Shdr>(file, header.e_shoff + i * sizeof(Elf64_Shdr));
        if (!entry || header.e_shoff > file.size())
            return refuse("is truncated: it ends before section header ", i, " of ", header.e_shnum);
        const bool in_file = entry->sh_type != SHT_NOBITS && entry->sh_type != SHT_NULL;
        const auto content = slice(file, in_file ? entry->sh_offset : 0, in_file ? entry->sh_size : 0);
        if (!content)
            return refuse("is truncated: section ", i, " needs ", entry->sh_size, " bytes at ",
                          Hex{entry->sh_offset}, ", the file has ", file.size());
        name_offsets.push_back(entry->sh_name);
        sections.push_back({"", entry->sh_type, entry->sh_flags, entry->sh_addr, entry->sh_offset,
                            entry->sh_size, entry->sh_link, *content});
    }
    if (header.e_shstrndx < sections.size())
        for (size_t i = 0; i < sections.size(); ++i)
            sections[i].name = name_at(sections[header.e_shstrndx].content, name_offsets[i]);
    return sections;
}

}  // namespace

const ElfSection* ElfFile::section(std::string_view name) const
{
    for (const auto& candidate : sections)
        if (candidate.name == name)
            return &candidate;
    return nullptr;
}

bool is_elf(View file)
{
    return file.size() >= SELFMAG && std::memcmp(file.data(), ELFMAG, SELFMAG) == 0;
}

Outcome<ElfFile> parse_elf(View file)
{
    const auto header = ATTEMPT(parse_header(file));
    ElfFile elf{file, header.e_entry, header.e_phoff, {}, {}};
    elf.segments = ATTEMPT(parse_segments(file, header));
    elf.sections = ATTEMPT(parse_sections(file, header));
    return elf;
}

Outcome<std::vector<ElfNote>> parse_notes(View content)
{
    const auto padded = [](uint64_t size) { return (size + 3) & ~uint64_t{3}; };
    std::vector<ElfNote> notes;
    uint64_t offset = 0;
    while (offset < content.size()) {
        const auto header = read_at<Elf64_Nhdr>(content, offset);
        const uint64_t name_offset = offset + sizeof(Elf64_Nhdr);
        const auto name = header ? slice(content, name_offset, header->n_namesz) : std::nullopt;
        const uint64_t description_offset = name ? name_offset + padded(header->n_namesz) : 0;
        const auto description = name ? slice(content, description_offset, header->n_descsz) : std::nullopt;
        if (!description)
            return refuse("is damaged: the ELF note at ", Hex{offset}, " runs past the end of the notes");
        if (notes.size() == most_notes)
            return refuse("is damaged: it has more than ", most_notes, " ELF notes");
        notes.push_back({name_at(*name, 0), header->n_type, *description});
        offset = description_offset + padded(header->n_descsz);
    }
    return notes;
}

}  // namespace bulkhead::tool
