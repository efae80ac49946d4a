// SPDX-License-Identifier: BSD-2-Clause
// Source: System V ABI, "Sections".
#include "boot/plan/slim_elf.hpp"

#include <algorithm>
#include <elf.h>

namespace bulkhead::tool {

namespace {

// What loaders load, and the names of sections: whoever looks for the anchor does so by name.
bool is_kept(const ElfFile& elf, size_t index, uint16_t names_index)
{
    return index == 0 || index == names_index || (elf.sections[index].flags & SHF_ALLOC) != 0;
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

Bytes loaded_sections_only(const ElfFile& elf)
{
    auto header = *read_at<Elf64_Ehdr>(elf.file, 0);
    const uint16_t names_index = header.e_shstrndx;
    const uint64_t end = std::min<uint64_t>(elf.file.size(), end_of_loaded(elf));
    Bytes out(elf.file.begin(), elf.file.begin() + static_cast<ptrdiff_t>(end));
    std::vector<Elf64_Shdr> kept;
    header.e_shstrndx = 0;
    for (size_t i = 0; i < elf.sections.size(); ++i) {
        if (!is_kept(elf, i, names_index))
            continue;
        auto section = *read_at<Elf64_Shdr>(elf.file, header.e_shoff + i * sizeof(Elf64_Shdr));
        // What they refer to are symbols, which are left out.
        section.sh_link = 0;
        if (i != 0 && i == names_index) {
            header.e_shstrndx = static_cast<uint16_t>(kept.size());
            section.sh_offset = out.size();
            append(out, elf.sections[i].content);
        }
        kept.push_back(section);
    }
    pad_to(out, 8);
    header.e_shoff = kept.empty() ? 0 : out.size();
    header.e_shnum = static_cast<uint16_t>(kept.size());
    append(out, view_of(kept));
    std::copy_n(view_of(header).begin(), sizeof(header), out.begin());
    return out;
}

}  // namespace bulkhead::tool
