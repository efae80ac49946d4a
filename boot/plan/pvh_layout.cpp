// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/pvh_layout.hpp"

#include <algorithm>

#include "boot/plan/acpi_tables.hpp"
#include "core/guest_memory_map.hpp"
#include "core/types.hpp"

extern "C" {
#include <xen/arch-x86/hvm/start_info.h>
}

namespace bulkhead::tool {

namespace {

constexpr uint64_t ring_frames = 2;             // console, store
constexpr uint64_t large_page_frames = 512;
constexpr uint64_t early_frames = (uint64_t{1} << 30) >> page_shift;    // what Linux' first page tables map
constexpr uint64_t acpi_offset = page_size;     // behind start info, command line and lists

void put(Bytes& to, uint64_t at, View what)
{
    to.resize(std::max<size_t>(to.size(), at + what.size()));
    std::copy(what.begin(), what.end(), to.begin() + static_cast<ptrdiff_t>(at));
}

std::vector<hvm_memmap_table_entry> memory_map(const plan::PvStart& start, uint64_t frames)
{
    const uint64_t pages = start.mapped_end_pfn;
    const uint64_t pages_end = start.tables_pfn;
    const uint64_t low_end = std::min(frames, hole_first_gfn);
    std::vector<hvm_memmap_table_entry> map{
        {0, pages << page_shift, XEN_HVM_MEMMAP_TYPE_RAM, 0},
        {pages << page_shift, (pages_end - pages) << page_shift, XEN_HVM_MEMMAP_TYPE_RESERVED, 0},
    };
    if (low_end > pages_end)
        map.push_back({pages_end << page_shift, (low_end - pages_end) << page_shift, XEN_HVM_MEMMAP_TYPE_RAM, 0});
    if (frames > hole_first_gfn)
        map.push_back({(hole_first_gfn + hole_frames) << page_shift, (frames - hole_first_gfn) << page_shift,
                       XEN_HVM_MEMMAP_TYPE_RAM, 0});
    return map;
}

// One page of start info, the lists that it points to, and the command line; then the tables.
Bytes make_pages(const plan::PvStart& start, uint64_t base, const PvhNeeds& needs)
{
    Bytes pages;
    hvm_start_info info{};
    info.magic = XEN_HVM_START_MAGIC_VALUE;
    info.version = 1;
    uint64_t at = align_up(sizeof(info), 16);
    if (needs.ramdisk_bytes != 0) {
        const hvm_modlist_entry module{start.ramdisk_pfn << page_shift, needs.ramdisk_bytes, 0, 0};
        info.nr_modules = 1;
        info.modlist_paddr = base + at;
        put(pages, at, view_of(module));
        at += sizeof(module);
    }
    const auto map = memory_map(start, needs.memory_frames);
    info.memmap_paddr = base + at;
    info.memmap_entries = static_cast<uint32_t>(map.size());
    put(pages, at, view_of(map));
    at += map.size() * sizeof(map[0]);
    info.cmdline_paddr = base + at;
    put(pages, at, View(reinterpret_cast<const uint8_t*>(needs.cmdline.c_str()), needs.cmdline.size() + 1));
    info.rsdp_paddr = base + acpi_offset;
    put(pages, 0, view_of(info));
    put(pages, acpi_offset, make_acpi_tables(base + acpi_offset, needs.vcpus));
    return pages;
}

}  // namespace

PvhLayout lay_out_pvh(const Kernel& kernel, const PvhNeeds& needs)
{
    PvhLayout layout{};
    plan::PvStart& start = layout.start;
    const uint64_t ramdisk_frames = frames_for(needs.ramdisk_bytes);
    const uint64_t acpi_bytes = make_acpi_tables(0, needs.vcpus).size();
    layout.pages_frames = frames_for(acpi_offset + acpi_bytes);
    const uint64_t set_aside = ring_frames + layout.pages_frames;
    start.entry = kernel.notes.phys32_entry.value_or(0);
    start.hypercall_page = ~uint64_t{0};
    start.ramdisk_pfn = plan::no_pfn;
    start.ramdisk_bytes = needs.ramdisk_bytes;
    uint64_t end = kernel.end_pfn;
    if (ramdisk_frames != 0) {
        start.ramdisk_pfn = align_up(end, large_page_frames);
        end = start.ramdisk_pfn + ramdisk_frames;
    }
    layout.least_frames = end + set_aside;
    const uint64_t pages_end = std::min(needs.memory_frames, early_frames);
    start.tables_pfn = pages_end;
    start.mapped_end_pfn = pages_end - std::min(pages_end, set_aside);
    start.console_pfn = start.mapped_end_pfn;
    start.store_pfn = needs.has_store ? start.console_pfn + 1 : plan::no_pfn;
    layout.pages_pfn = start.mapped_end_pfn + ring_frames;
    start.start_info_pfn = layout.pages_pfn;
    layout.fits_below_pages = end <= start.mapped_end_pfn;
    if (layout.least_frames <= needs.memory_frames && layout.fits_below_pages)
        layout.pages = make_pages(start, layout.pages_pfn << page_shift, needs);
    return layout;
}

}  // namespace bulkhead::tool
