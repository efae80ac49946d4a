// SPDX-License-Identifier: BSD-2-Clause
#include "boot/image/flat.hpp"

#include <algorithm>
#include <elf.h>

#include "boot/plan/elf_file.hpp"

namespace bulkhead::tool {

namespace {

constexpr uint64_t largest = 1 << 20;
// As in boot/loader/bios/bios.lds.
constexpr uint64_t boot_sector_at = 0x7c00;
constexpr uint64_t second_stage_at = 0x8000;

}  // namespace

Outcome<Flat> flat_image(View file)
{
    const auto elf = ATTEMPT(parse_elf(file));
    Flat flat{~uint64_t{0}, {}};
    for (const auto& segment : elf.segments) {
        if (segment.type == PT_LOAD && !segment.content.empty())
            flat.address = std::min(flat.address, segment.physical_address);
    }
    for (const auto& segment : elf.segments) {
        if (segment.type != PT_LOAD || segment.content.empty())
            continue;
        const uint64_t offset = segment.physical_address - flat.address;
        if (offset > largest || segment.content.size() > largest)
            return refuse("has a segment that is far from the others");
        if (flat.content.size() < offset + segment.content.size())
            flat.content.resize(offset + segment.content.size());
        std::copy(segment.content.begin(), segment.content.end(), flat.content.begin() + static_cast<ptrdiff_t>(offset));
    }
    return flat;
}

Outcome<BiosParts> split_bios(View elf)
{
    const Flat flat = ATTEMPT(flat_image(elf));
    constexpr uint64_t first_part = second_stage_at - boot_sector_at;
    if (flat.address != boot_sector_at || flat.content.size() <= first_part)
        return refuse("the BIOS loader does not begin at its boot sector");
    const auto split = flat.content.begin() + static_cast<ptrdiff_t>(first_part);
    BiosParts parts{{flat.content.begin(), split}, {split, flat.content.end()}};
    while (!parts.boot_sector.empty() && parts.boot_sector.back() == 0)
        parts.boot_sector.pop_back();
    return parts;
}

}  // namespace bulkhead::tool
