// SPDX-License-Identifier: BSD-2-Clause
// Where everything lies in a `pvh` partition's memory when its first instruction runs: the kernel at
// its physical addresses, the ramdisk behind it, and at the end of the memory below 4 GiB the pages
// of the start of day: console and store ring, start info with what it points to, ACPI tables.
// Source: xen/include/public/arch-x86/hvm/start_info.h.
#pragma once

#include <string>

#include "boot/plan/bytes.hpp"
#include "boot/plan/pv_layout.hpp"

namespace bulkhead::tool {

struct PvhNeeds {
    uint64_t ramdisk_bytes = 0;  // 0: none
    uint64_t memory_frames = 0;
    uint32_t vcpus = 1;
    bool has_store = false;
    std::string cmdline;
};

struct PvhLayout {
    plan::PvStart start;         // what applies: entry, ramdisk, start info, console, store, end of RAM
    uint64_t pages_pfn;          // start info and ACPI tables
    uint64_t pages_frames;
    Bytes pages;                 // their content
    uint64_t least_frames;       // memory that is needed
};

[[nodiscard]] PvhLayout lay_out_pvh(const Kernel& kernel, const PvhNeeds& needs);

}  // namespace bulkhead::tool
