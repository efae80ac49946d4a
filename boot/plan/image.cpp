// SPDX-License-Identifier: BSD-2-Clause
// Source: System V ABI, "Program Loading"; GRUB 2.06 loader/multiboot_elfxx.c (program headers and
// Multiboot2 header within the first 32 KiB of the file).
#include "boot/plan/image.hpp"

#include <algorithm>
#include <elf.h>

#include "boot/plan/slim_elf.hpp"
#include "core/plan.hpp"
#include "core/types.hpp"

namespace bulkhead::tool {

namespace {

constexpr std::string_view anchor_section = ".plan_anchor";
constexpr std::string_view anchor_mark = "BULKHEAD-PLAN-AT";
constexpr uint64_t load_boundary_bytes = uint64_t{2} << 20;
constexpr uint64_t loader_window_bytes = 32768;
// Below this lie devices on some boxes, and it is as far as 32-bit loaders go without surprises.
constexpr uint64_t highest_end = 0xc0000000;

Outcome<uint64_t> find_anchor(const ElfFile& elf)
{
    const ElfSection* section = elf.section(anchor_section);
    if (section == nullptr)
        return refuse("has no section ", anchor_section, "; it is not Bulkhead's core");
    const auto anchor = read_at<plan::Anchor>(section->content, 0);
    if (!anchor || std::string_view(anchor->mark.data(), anchor->mark.size()) != anchor_mark)
        return refuse("has no mark ", Quoted{anchor_mark}, " in its section ", anchor_section);
    for (const auto& segment : elf.segments)
        if (segment.type == PT_LOAD && section->file_offset >= segment.file_offset &&
            section->file_offset - segment.file_offset + sizeof(plan::Anchor) <= segment.content.size())
            return section->file_offset;
    return refuse("has a section ", anchor_section, " that is not loaded");
}

// The first byte of the file behind the program headers that something else uses. A segment that
// begins before them covers them; then its sections say what else is in it.
uint64_t headers_may_grow_to(const CoreImage& core, uint64_t table_end)
{
    uint64_t end = std::min<uint64_t>(core.file.size(), loader_window_bytes);
    for (const auto& segment : core.elf.segments) {
        if (segment.content.empty() || segment.type == PT_PHDR)
            continue;
        if (segment.file_offset >= table_end)
            end = std::min(end, segment.file_offset);
        else if (core.elf.sections.empty())
            return table_end;
    }
    for (const auto& section : core.elf.sections)
        if (!section.content.empty())
            end = std::min(end, section.file_offset);
    const auto header = *read_at<Elf64_Ehdr>(core.file, 0);
    return header.e_shoff != 0 ? std::min(end, header.e_shoff) : end;
}

struct HeaderSlot {
    uint64_t offset;
    bool is_new;  // one more entry in the table
};

// Room for one more program header: behind the table, or an entry that nothing needs.
Outcome<HeaderSlot> find_slot(const CoreImage& core)
{
    const uint64_t table = core.elf.program_headers_offset;
    const uint64_t end = table + core.elf.segments.size() * sizeof(Elf64_Phdr);
    if (end + sizeof(Elf64_Phdr) <= headers_may_grow_to(core, end))
        return HeaderSlot{end, true};
    for (const uint32_t unneeded : {uint32_t{PT_NULL}, uint32_t{PT_GNU_STACK}})
        for (size_t i = 0; i < core.elf.segments.size(); ++i)
            if (core.elf.segments[i].type == unneeded)
                return HeaderSlot{table + i * sizeof(Elf64_Phdr), false};
    return refuse("has no room for one more program header; link it with a gap behind the table or a PT_NULL entry");
}

template <class T>
void put_at(Bytes& bytes, uint64_t offset, const T& record)
{
    const auto view = view_of(record);
    std::copy(view.begin(), view.end(), bytes.begin() + static_cast<ptrdiff_t>(offset));
}

}  // namespace

Outcome<CoreImage> parse_core(View file)
{
    CoreImage core{file, ATTEMPT(parse_elf(file)), 0, ~uint64_t{0}, 0, 0};
    core.anchor_offset = ATTEMPT(find_anchor(core.elf));
    for (const auto& segment : core.elf.segments) {
        if (segment.type != PT_LOAD || segment.memory_bytes == 0)
            continue;
        core.physical_start = std::min(core.physical_start, segment.physical_address);
        core.physical_end = std::max(core.physical_end, segment.physical_address + segment.memory_bytes);
    }
    if (core.physical_end == 0)
        return refuse("has nothing to load: no PT_LOAD program header");
    if (core.physical_end > highest_end)
        return refuse("is loaded up to ", Hex{core.physical_end}, "; it has to stay below ", Hex{highest_end});
    core.plan_physical = align_up(core.physical_end, load_boundary_bytes);
    return core;
}

Outcome<Bytes> write_image(const CoreImage& core, View compiled_plan)
{
    if (compiled_plan.size() > highest_end - core.plan_physical)
        return refuse("with this plan would reach up to ", Hex{core.plan_physical + compiled_plan.size()},
                      "; kernels and ramdisks have to fit below ", Hex{highest_end});
    const auto slot = ATTEMPT(find_slot(core));
    Bytes image = loaded_sections_only(core.elf);
    pad_to(image, page_size);

    Elf64_Phdr segment{};
    segment.p_type = PT_LOAD;
    segment.p_flags = PF_R;
    segment.p_offset = image.size();
    segment.p_vaddr = core.plan_physical;
    segment.p_paddr = core.plan_physical;
    segment.p_filesz = compiled_plan.size();
    segment.p_memsz = compiled_plan.size();
    segment.p_align = page_size;
    put_at(image, slot.offset, segment);

    auto header = *read_at<Elf64_Ehdr>(image, 0);
    header.e_phnum = static_cast<Elf64_Half>(header.e_phnum + (slot.is_new ? 1 : 0));
    put_at(image, 0, header);

    auto anchor = *read_at<plan::Anchor>(core.file, core.anchor_offset);
    anchor.physical = core.plan_physical;
    anchor.size_bytes = compiled_plan.size();
    put_at(image, core.anchor_offset, anchor);

    append(image, compiled_plan);
    return image;
}

Outcome<View> plan_in_image(View image)
{
    const auto elf = ATTEMPT(parse_elf(image));
    const uint64_t offset = ATTEMPT(find_anchor(elf));
    const auto anchor = *read_at<plan::Anchor>(image, offset);
    for (const auto& segment : elf.segments)
        if (segment.type == PT_LOAD && segment.physical_address == anchor.physical &&
            segment.content.size() == anchor.size_bytes && anchor.size_bytes != 0)
            return segment.content;
    return refuse("holds no plan: it is the core alone");
}

}  // namespace bulkhead::tool
