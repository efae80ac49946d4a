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

struct GuestWindow {
    Mfn root;                               // top level: the core's slots, and what is mapped now
    std::array<Mfn, window_tables> tables;
    uint8_t tables_used;                    // 0: nothing is mapped
    std::array<uint16_t, window_tables> top_slots;  // entries of the root in use
    uint8_t top_slots_used;
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
    uint64_t physical;                      // guest-physical address of the byte
};
[[nodiscard]] GuestTranslation translate(const Vcpu& vcpu, uint64_t address, bool write);
// Copies code bytes for a look at an instruction; fewer than asked if a page is missing.
[[nodiscard]] unsigned fetch_code(const Vcpu& vcpu, uint64_t linear, uint8_t* to, unsigned bytes);

}  // namespace bulkhead
