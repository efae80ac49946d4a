// SPDX-License-Identifier: BSD-2-Clause
// What a firmware hands over, in one form. Each entry in boot/ fills it in; nothing past it knows
// how the box started, except the banner, which says it.
#pragma once

#include "core/types.hpp"

#include <array>
#include <cstdint>

namespace bulkhead {

// Source: ACPI Specification, "INT 15H, E820H - Query System Address Map", address range types.
enum class MemoryKind : uint32_t { usable = 1, reserved = 2, acpi_reclaimable = 3, acpi_nvs = 4, bad = 5 };

struct MemoryMapEntry {
    HostPhysical base;
    uint64_t size_bytes;
    MemoryKind kind;
};

// Which of an image's two slots was started; see boot/loader/README.md.
struct BootSlot {
    static constexpr uint32_t none = 2;
    uint32_t number = none;                       // 0 or 1, or none: this image is not in a slot
    bool on_trial;                                // has not reported itself healthy before
    uint64_t version;
    uint64_t other_version;                       // 0: the other slot holds nothing that could start
    uint32_t health_seconds;                      // 0: nobody waits for a report
};

struct BootInfo {
    const char* entry_name;                       // "PVH", "Multiboot2", ...
    const char* firmware;                         // loader's name or "", static storage
    std::array<MemoryMapEntry, 256> memory_map;   // sorted by base, no overlaps, as the firmware says
    uint32_t memory_map_count;
    bool memory_map_truncated;                    // there were more entries than fit
    HostPhysical rsdp;                            // 0: search the BIOS areas
    std::array<char, 512> command_line;           // zero-terminated, cut off if longer
    HostPhysical image_begin;                     // the loaded core, page-aligned
    HostPhysical image_end;
    HostPhysical plan;                            // the compiled plan, page-aligned, anywhere below 4 GiB
    uint64_t plan_bytes;                          // 0: the image has none
    uint64_t entry_tsc;                           // TSC at the first instruction
    HostPhysical smbios;                          // entry point structure, 0: not said
    BootSlot slot;
};

// Calls take(begin, end) for every piece of usable memory that holds neither the core nor the plan.
template <class Take>
void for_usable_memory(const BootInfo& info, Take take)
{
    struct Range {
        uint64_t begin;
        uint64_t end;
    };
    const Range core{info.image_begin.raw(), info.image_end.raw()};
    const Range plan{info.plan.raw(), align_up(info.plan.raw() + info.plan_bytes, page_size)};
    const bool core_first = core.begin < plan.begin;
    const Range held[] = {core_first ? core : plan, core_first ? plan : core};
    for (uint32_t i = 0; i < info.memory_map_count; ++i) {
        const MemoryMapEntry& entry = info.memory_map[i];
        if (entry.kind != MemoryKind::usable)
            continue;
        uint64_t begin = entry.base.raw();
        const uint64_t end = begin + entry.size_bytes;
        for (const Range& range : held) {
            if (range.begin >= range.end || range.end <= begin || range.begin >= end)
                continue;
            if (begin < range.begin)
                take(begin, range.begin);
            begin = range.end;
        }
        if (begin < end)
            take(begin, end);
    }
}

// Where the core begins: on CPU 0's own stack in the final address space, with exceptions, interrupt
// controller, clock and serial port ready, interrupts off and the other CPUs not yet started.
[[noreturn]] void core_main(const BootInfo& info);

}  // namespace bulkhead
