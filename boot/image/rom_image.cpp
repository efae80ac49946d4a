// SPDX-License-Identifier: BSD-2-Clause
#include "boot/image/rom_image.hpp"

#include <algorithm>
#include <elf.h>

#include "boot/image/flat.hpp"
#include "boot/loader/boot_state.hpp"
#include "boot/loader/flash_layout.hpp"
#include "boot/plan/elf_file.hpp"
#include "core/types.hpp"

namespace bulkhead::tool {

namespace {

using namespace loader;

constexpr std::string_view layout_mark = "BULKHEAD-FLASH-:";
constexpr uint64_t overhead = flash_loader_bytes + flash_state_bytes;
// What QEMU maps of a ROM below 4 GiB at most, and more than the usual chips have.
constexpr uint64_t largest_flash = 16 << 20;
constexpr uint64_t smallest_flash = 1 << 20;
static_assert(flash_state_bytes >= 2 * state_block_bytes);

uint64_t fitting_flash(uint64_t slot_bytes)
{
    const uint64_t needed = 2 * align_up(slot_bytes, flash_block_bytes) + overhead;
    uint64_t flash = smallest_flash;
    while (flash < needed)
        flash *= 2;
    return flash;
}

// The loader as it lies in the last 64 KiB. What it runs from memory is stored where its ELF says.
Outcome<Bytes> loader_bytes(View loader_elf, const FlashLayout& layout)
{
    Flat flat = ATTEMPT(flat_image(loader_elf));
    constexpr uint64_t begin = (uint64_t{1} << 32) - flash_loader_bytes;
    if (flat.address != begin || flat.content.size() != flash_loader_bytes)
        return refuse("the ROM loader does not fill its place");
    const auto found = std::search(flat.content.begin(), flat.content.end(), layout_mark.begin(), layout_mark.end());
    if (static_cast<size_t>(flat.content.end() - found) < sizeof(layout))
        return refuse("the ROM loader has no mark ", layout_mark);
    const View bytes = view_of(layout);
    std::copy(bytes.begin(), bytes.end(), found);
    return std::move(flat.content);
}

}  // namespace

Outcome<Bytes> make_rom(View loader_elf, View slot, uint64_t flash_bytes)
{
    const uint64_t wanted = flash_bytes != 0 ? flash_bytes : fitting_flash(slot.size());
    if (wanted > largest_flash)
        return refuse("two slots of ", Size{slot.size()}, " need a flash of ", Size{wanted}, "; at most ",
                      Size{largest_flash}, " are possible");
    if (wanted % flash_block_bytes != 0 || wanted < smallest_flash)
        return refuse("a flash of ", Size{wanted}, " is not possible; take a multiple of 64 KiB from 1 MiB on");
    FlashLayout layout{};
    std::copy(layout_mark.begin(), layout_mark.end(), layout.mark.begin());
    layout.flash_bytes = static_cast<uint32_t>(wanted);
    layout.slot_bytes = static_cast<uint32_t>((wanted - overhead) / 2 / flash_block_bytes * flash_block_bytes);
    layout.state_offset = static_cast<uint32_t>(wanted - overhead);
    if (slot.size() > layout.slot_bytes)
        return refuse("the image has ", Size{slot.size()}, "; a slot of a flash of ", Size{wanted}, " has ",
                      Size{layout.slot_bytes});
    const Bytes loader = ATTEMPT(loader_bytes(loader_elf, layout));
    Bytes flash(wanted, 0xff);
    std::copy(slot.begin(), slot.end(), flash.begin());
    std::copy(loader.begin(), loader.end(), flash.end() - static_cast<ptrdiff_t>(loader.size()));
    return flash;
}

Outcome<Bytes> make_payload(View image, uint64_t flash_bytes)
{
    const auto elf = ATTEMPT(parse_elf(image));
    auto header = *read_at<Elf64_Ehdr>(image, 0);
    std::vector<Elf64_Phdr> segments;
    Bytes content;
    std::vector<const ElfSegment*> loaded;
    for (const auto& segment : elf.segments) {
        if (segment.type == PT_LOAD && segment.memory_bytes != 0)
            loaded.push_back(&segment);
    }
    const uint64_t first = align_up(sizeof(header) + loaded.size() * sizeof(Elf64_Phdr), page_size);
    for (const auto* segment : loaded) {
        pad_to(content, page_size);
        Elf64_Phdr out{};
        out.p_type = PT_LOAD;
        out.p_flags = segment->flags;
        out.p_offset = first + content.size();
        out.p_vaddr = segment->physical_address;
        out.p_paddr = segment->physical_address;
        out.p_filesz = segment->content.size();
        out.p_memsz = segment->memory_bytes;
        out.p_align = page_size;
        segments.push_back(out);
        append(content, segment->content);
    }
    header.e_phoff = sizeof(header);
    header.e_phnum = static_cast<Elf64_Half>(segments.size());
    header.e_shoff = 0;
    header.e_shnum = 0;
    header.e_shstrndx = 0;
    Bytes payload;
    append(payload, view_of(header));
    append(payload, view_of(segments));
    payload.resize(first);
    append(payload, content);
    if (payload.size() > flash_bytes)
        return refuse("the payload has ", Size{payload.size()}, "; the flash has ", Size{flash_bytes});
    return payload;
}

}  // namespace bulkhead::tool
