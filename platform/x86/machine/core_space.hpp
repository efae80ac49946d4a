// SPDX-License-Identifier: BSD-2-Clause
// The core's part of every address space, as layout.hpp draws it. Made at start; only the entries of
// descriptor windows change afterwards.
#pragma once

#include "core/types.hpp"

#include <cstdint>
#include <span>

namespace bulkhead::machine {

inline constexpr unsigned core_slot_count = 16;

// The entries 256 to 271 of every top-level table that a CPU may load. Constant once core_main() runs.
[[nodiscard]] std::span<const uint64_t, core_slot_count> core_slots();
// The core's entry that maps a page, and the one above for a whole GiB. Start-up only.
[[nodiscard]] uint64_t core_entry(uint64_t address);
[[nodiscard]] uint64_t core_directory(uint64_t address);
// The core's own top level, without any guest.
[[nodiscard]] Mfn core_table();

// Gives frames entries of their own in the frame table (zero) and in the machine-to-phys table (all
// ones: belongs to nobody), by whole pages; elsewhere one shared, read-only page answers for all.
// Ranges may touch or repeat. Start-up only.
void back_frame_table(Mfn first, uint64_t count);
void back_m2p(Mfn first, uint64_t count);

// Descriptor windows, one a vCPU of the whole image: pages 0 to 15 show its GDT, 16 to 31 its LDT.
// Start-up only, once.
void make_descriptor_windows(uint32_t vcpus);
inline constexpr unsigned window_core_page = 14;    // the frame Cpu::machine.gdt_frame belongs here
// The entry that maps a page of a window, through the direct map. Whoever changes one that was
// present invalidates the page on the vCPU's CPU (flush_page_local).
[[nodiscard]] uint64_t* descriptor_window_entry(uint32_t vcpu, unsigned page);
// Entries for it: read-only is for the core's page, whose descriptors are all marked accessed.
[[nodiscard]] uint64_t window_entry_read_only(Mfn frame);
[[nodiscard]] uint64_t window_entry_writable(Mfn frame);

// Maps device registers, uncached, for good. Start-up only.
[[nodiscard]] volatile void* map_device(HostPhysical base, uint64_t size_bytes);
// Takes away what only the start needed: its code, and the way into low memory of CPUs that start.
// Once, when all CPUs have started and nothing is set up any more.
void unmap_start_code();

// Maps tables of the firmware, read-only, for good. Start-up only.
[[nodiscard]] const void* map_firmware(HostPhysical base, uint64_t size_bytes);

}  // namespace bulkhead::machine
