// SPDX-License-Identifier: BSD-2-Clause
// Where the frame table, the machine-to-phys table and the vCPUs' descriptor windows are, and the
// core's own top-level entries. core/frames.cpp and core/pv/ fill them; only this header knows that
// they lie at fixed addresses.
#pragma once

#include "core/types.hpp"

#include <cstdint>
#include <span>

namespace bulkhead {
struct FrameEntry;
struct Vcpu;
}

namespace bulkhead::machine {

// Indexed by machine frame number. Every entry below frame_limit() can be read; one that was never
// backed is zero ("no partition's"), or ~0 in the machine-to-phys table.
[[nodiscard]] inline FrameEntry* frame_entries();
[[nodiscard]] inline uint64_t* machine_to_phys();
// The first frame number without an entry: past the end of RAM. Constant after start-up.
[[nodiscard]] inline uint64_t frame_limit();

// Makes the entries of these frames writable, zeroed (machine-to-phys: ~0) where they were not
// before; ranges may share pages of the tables. Start-up only.
void back_frame_tables(Mfn first, uint64_t count);

// The core's entries of every top-level table, slots layout::core_first_slot and up. Constant after
// start-up.
inline constexpr unsigned core_slot_count = 16;
[[nodiscard]] std::span<const uint64_t, core_slot_count> core_slots();

// Page `page` of a vCPU's descriptor window (0..13: the guest's GDT, 16..31: LDT) shows the frame,
// writable for ring 0 only, or nothing (invalid_mfn). Flushes that page on the vCPU's CPU; any CPU.
inline constexpr unsigned window_ldt_page = 16;
inline constexpr unsigned window_ldt_pages = 16;
void set_window_page(const Vcpu& vcpu, unsigned page, Mfn frame);

}  // namespace bulkhead::machine

#include "machine/frame_tables_inline.hpp"
