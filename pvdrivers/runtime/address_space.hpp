// SPDX-License-Identifier: BSD-2-Clause
// The program's page tables: built once at start in place of those that the loader made, so that
// nothing is writable and executable; then pages are mapped one by one. vCPU 0 at start, later any
// vCPU under the memory lock.
#pragma once

#include "pvdrivers/runtime/frames.hpp"
#include "pvdrivers/runtime/page_entry.hpp"

namespace bulkhead {

// Pages of the partition's memory, from the first one to before the second.
struct PageRange {
    uint64_t first = 0;
    uint64_t end = 0;
    [[nodiscard]] constexpr bool contains(uint64_t page) const { return page >= first && page < end; }
    [[nodiscard]] constexpr uint64_t size() const { return end - first; }
};

// Maps at least what the loader has mapped (pages 0 to before `loader_mapped`), with rights by what it
// is, on tables of our own, and gives the loader's tables up. Leaves `hole` out, which begins behind
// loader_mapped. Takes pages from `free` on; returns the first page that is free afterwards. `mapped`
// becomes what is mapped now, whole tables of it.
[[nodiscard]] uint64_t take_over_tables(uint64_t free, uint64_t loader_mapped, PageRange hole, PageRange& mapped);

// Maps the rest of the memory behind `mapped`, except `hole`. Takes pages for tables from `free` on;
// returns the first free page.
[[nodiscard]] uint64_t map_rest(uint64_t free, PageRange mapped, PageRange hole);

// Gives a mapped, zeroed page for a table, or null.
using TableSource = void* (*)();

// Makes sure that the tables for this address exist. False: there is no memory for them.
[[nodiscard]] bool prepare_tables(uint64_t address, TableSource source);
// Changes one mapping, on all vCPUs. The tables must exist. Returns what the hypervisor says.
[[nodiscard]] long set_mapping(uint64_t address, PageEntry entry);

// The frame that an address maps, which must be mapped.
[[nodiscard]] Mfn frame_at(uint64_t address);

// The frame of the top-level table, for another vCPU's start.
[[nodiscard]] Mfn current_tables();

}  // namespace bulkhead
