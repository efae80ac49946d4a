// SPDX-License-Identifier: BSD-2-Clause
// BootInfo from the PVH hand-over. Source: xen/include/public/arch-x86/hvm/start_info.h.
#include "boot/loader_view.hpp"
#include "boot/memory_map.hpp"
#include "platform/x86/start_only.hpp"

extern "C" {
#include <xen/xen.h>
// After xen.h, which defines the types that it uses.
#include <xen/arch-x86/hvm/start_info.h>
}

namespace bulkhead::boot {

namespace {
constexpr uint32_t most_entries = 4096;
}

START_ONLY void copy_text(PhysicalView view, uint64_t address, uint64_t limit, char* to, size_t to_bytes)
{
    size_t length = 0;
    while (length + 1 < to_bytes && length < limit) {
        const char* from = static_cast<const char*>(view(address + length, 1));
        if (from == nullptr || *from == '\0')
            break;
        to[length++] = *from;
    }
    to[length] = '\0';
}

START_ONLY const char* read_pvh(PhysicalView view, uint64_t start_info, BootInfo& info)
{
    hvm_start_info start;
    if (!read_physical(view, start_info, start))
        return "the PVH start information lies where it cannot be read.";
    if (start.magic != XEN_HVM_START_MAGIC_VALUE)
        return "the PVH start information has the wrong magic number.";
    if (start.version < 1 || start.memmap_entries == 0)
        return "the PVH start information has no memory map (version 0).";

    info.entry_name = "PVH";
    info.firmware = "";
    info.rsdp = HostPhysical(start.rsdp_paddr);
    info.command_line[0] = '\0';
    if (start.cmdline_paddr != 0)
        copy_text(view, start.cmdline_paddr, info.command_line.size(), info.command_line.data(),
                  info.command_line.size());

    MemoryMap map;
    for (uint32_t i = 0; i < start.memmap_entries && i < most_entries; ++i) {
        hvm_memmap_table_entry entry;
        if (!read_physical(view, start.memmap_paddr + i * sizeof(entry), entry))
            return "the PVH memory map lies where it cannot be read.";
        map.add(entry.addr, entry.size, entry.type);
    }
    map.finish(info);
    return nullptr;
}

}  // namespace bulkhead::boot
