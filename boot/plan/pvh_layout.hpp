// SPDX-License-Identifier: BSD-2-Clause
// Where everything lies in a `pvh` partition's memory when its first instruction runs: the kernel at
// its physical addresses, the ramdisk behind it, and at the end of the first GiB, or of the memory, the
// pages of the start of day: console and store ring, start info with what it points to, ACPI tables.
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
    // What applies: entry, ramdisk, start info, console, store; mapped_end_pfn and tables_pfn are where the
    // pages of the start of day begin and end.
    plan::PvStart start;
    uint64_t pages_pfn;          // start info and ACPI tables
    uint64_t pages_frames;
    Bytes pages;                 // their content
    uint64_t least_frames;       // memory that is needed
    bool fits_below_pages;       // kernel and ramdisk end below them
};

[[nodiscard]] PvhLayout lay_out_pvh(const Kernel& kernel, const PvhNeeds& needs);

}  // namespace bulkhead::tool
