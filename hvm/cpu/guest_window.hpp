// SPDX-License-Identifier: BSD-2-Clause
// How the core reaches a hardware guest's memory by the guest's own addresses. Hypercall handlers use
// machine/memory.hpp, as for PV guests; while a hardware vCPU is current the CPU runs on tables of
// that vCPU's own, empty below and above the core's slots. The first access to a page faults, the
// guest's page tables are walked, and the page is mapped until the exit has been handled. So the
// paths that PV guests use know nothing of this.
#pragma once

#include "core/types.hpp"

#include <array>
#include <cstdint>

namespace bulkhead {

struct Vcpu;

inline constexpr unsigned window_tables = 16;   // at least four pages in places of their own
inline constexpr unsigned window_pages = 16;    // shown at a time

// What the nested tables had at a guest-physical place. The tag is the place's number plus one, 0: nothing.
struct KnownPlace {
    uint64_t tag;
    uint8_t* base;
};

// What was found behind a page of code (fetch_code).
struct KnownCode {
    uint64_t tag;
    const uint8_t* bytes;
};

struct GuestWindow {
    Mfn root;                               // top level: the core's slots, and the tables in use
    std::array<Mfn, window_tables> tables;
    uint8_t tables_used;                    // they stay from exit to exit; their pages do not
    std::array<uint16_t, window_tables> top_slots;  // entries of the root in use
    uint8_t top_slots_used;
    uint64_t last_region;                   // of 2 MiB, plus one; 0: none
    uint64_t* last_table;                   // the one that shows its pages
    std::array<uint64_t*, window_pages> shown;      // entries of pages
    uint8_t shown_used;                     // 0: nothing is mapped
    // Valid while HardwarePartition::nested_changes is this.
    uint32_t known_at;
    std::array<KnownPlace, 8> known_large;  // 2 MiB each
    std::array<KnownPlace, 32> known_pages;
    std::array<KnownCode, 8> known_code;
};

// Start-up.
void make_window(GuestWindow& window);
// Forgets all mappings; the CPU must be told (invalidated) if it ran on them: does that.
void forget_mappings(GuestWindow& window);
// HardwareOperations::map_guest_page.
[[nodiscard]] bool map_guest_page(Vcpu& vcpu, uint64_t address, bool write);

// The guest's own translation of an address for a read or write by its kernel, through its page
// tables in memory; accessed and dirty bits are set as the CPU would. Page-wise.
struct GuestTranslation {
    bool valid;
    bool writable;                          // a write is allowed, too, and the dirty bit is set
    uint64_t physical;                      // guest-physical address of the byte
};
[[nodiscard]] GuestTranslation translate(const Vcpu& vcpu, uint64_t address, bool write);
// Copies code bytes for a look at an instruction; fewer than asked if a page is missing.
[[nodiscard]] unsigned fetch_code(const Vcpu& vcpu, uint64_t linear, uint8_t* to, unsigned bytes);
// The code that fetch_code() found there last, at least four bytes, or null: no walk. The guest may have
// mapped another page there since.
[[nodiscard]] inline const uint8_t* code_before(const GuestWindow& window, uint64_t linear)
{
    constexpr uint64_t page_bytes = 4096;
    const KnownCode& known = window.known_code[linear / page_bytes % 8];
    const uint64_t offset = linear % page_bytes;
    return known.tag == linear / page_bytes + 1 && offset <= page_bytes - 4 ? known.bytes + offset : nullptr;
}

}  // namespace bulkhead
