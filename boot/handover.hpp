// SPDX-License-Identifier: BSD-2-Clause
// What our own loaders (boot/loader/) hand to the core, whatever firmware they run on. The core copies
// it into BootInfo before it uses any memory; then the memory that held it is free.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bulkhead::boot {

inline constexpr uint64_t handover_magic = 0x52564f444e414842;   // "BHANDOVR"
inline constexpr uint32_t handover_version = 1;

// Types as in ACPI's E820.
struct HandoverRange {
    uint64_t base;
    uint64_t size_bytes;
    uint32_t type;
    uint32_t reserved;
};

struct HandoverSlot {
    uint32_t number;            // 0 or 1; 2: the image was not in a slot
    uint32_t on_trial;
    uint64_t version;
    uint64_t other_version;     // 0: nothing there that could start
    uint32_t health_seconds;
    uint32_t reserved;
};

struct Handover {
    static constexpr uint32_t most_ranges = 512;

    uint64_t magic;
    uint32_t version;
    uint32_t range_count;
    std::array<char, 32> entry_name;        // "UEFI", "BIOS disk", "ROM"; zero-terminated
    std::array<char, 64> firmware;          // its vendor's name, or empty
    std::array<char, 512> command_line;
    uint64_t rsdp;                          // 0: search the BIOS areas
    uint64_t smbios;                        // 0: not known
    uint64_t plan;                          // page-aligned
    uint64_t plan_bytes;
    HandoverSlot slot;
    uint32_t ranges_dropped;                // not 0: there were more than fit
    uint32_t reserved;
    std::array<HandoverRange, most_ranges> ranges;   // in any order, may overlap
};

static_assert(sizeof(HandoverRange) == 24);
static_assert(sizeof(HandoverSlot) == 32);
static_assert(offsetof(Handover, rsdp) == 624);
static_assert(offsetof(Handover, ranges) == 696);
static_assert(sizeof(Handover) == 696 + 512 * 24);

}  // namespace bulkhead::boot
