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

struct BootInfo {
    const char* entry_name;                       // "PVH", "Multiboot2", ...
    const char* firmware;                         // loader's name or "", static storage
    std::array<MemoryMapEntry, 256> memory_map;   // sorted by base, no overlaps, as the firmware says
    uint32_t memory_map_count;
    bool memory_map_truncated;                    // there were more entries than fit
    HostPhysical rsdp;                            // 0: search the BIOS areas
    std::array<char, 512> command_line;           // zero-terminated, cut off if longer
    HostPhysical image_begin;                     // the loaded image: core and plan, page-aligned
    HostPhysical image_end;
    HostPhysical plan;                            // the compiled plan in the image
    uint64_t plan_bytes;                          // 0: the image has none
    uint64_t entry_tsc;                           // TSC at the first instruction
};

// Where the core begins: on CPU 0's own stack in the final address space, with exceptions, interrupt
// controller, clock and serial port ready, interrupts off and the other CPUs not yet started.
[[noreturn]] void core_main(const BootInfo& info);

}  // namespace bulkhead
