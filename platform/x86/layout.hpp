// SPDX-License-Identifier: BSD-2-Clause
// The core's part of every address space: top-level slots 256 to 271, which the Xen PV ABI reserves
// (xen/include/public/arch-x86/xen-x86_64.h, HYPERVISOR_VIRT_START/END and MACH2PHYS_VIRT_START).
// Usable from assembly and linker scripts too: plain macros for those few that they need.
#pragma once

// clang-format off
#define LAYOUT_CORE_BASE     0xFFFF808000000000  // the image, at its link address (2 MiB pages)
#define LAYOUT_CORE_PHYSICAL 0x200000            // where the ELF asks to be loaded
#define LAYOUT_CPU_BLOCKS    0xFFFF808040000000  // all CPUs' blocks, within 2 GiB of the image
#define LAYOUT_CPU_SHIFT     16                  // a CPU's block: 64 KiB, aligned to its size
#define LAYOUT_CPU_DATA      0x1000              // struct Cpu in its block
#define LAYOUT_CPU_STACK_END 0x10000             // the guest's frame ends here
// clang-format on

#ifndef __ASSEMBLER__
#include <cstdint>

namespace bulkhead::layout {

inline constexpr uint64_t guest_low_end = 0x0000'8000'0000'0000;    // slots 0..255
inline constexpr uint64_t core_begin = 0xFFFF'8000'0000'0000;       // slots 256..271
inline constexpr uint64_t core_end = 0xFFFF'8800'0000'0000;
inline constexpr unsigned core_first_slot = 256;
inline constexpr unsigned core_end_slot = 272;

inline constexpr uint64_t m2p_guest = 0xFFFF'8000'0000'0000;        // read-only, ring 3 may read; 8 bytes a frame
inline constexpr uint64_t core_image = LAYOUT_CORE_BASE;            // slot 257
inline constexpr uint64_t cpu_blocks = LAYOUT_CPU_BLOCKS;            // slot 257: 64 KiB a CPU; in reach of a
                                                                    // 32-bit displacement from the image
inline constexpr uint64_t descriptor_windows = 0xFFFF'80A0'0000'0000;  // slot 257: GDT and LDT, 128 KiB a vCPU
inline constexpr uint64_t device_windows = 0xFFFF'80B0'0000'0000;   // slot 257: MMIO, uncached
inline constexpr uint64_t frame_table = 0xFFFF'8100'0000'0000;      // slot 258: 16 bytes a frame
inline constexpr uint64_t m2p_core = 0xFFFF'8180'0000'0000;         // slot 259: the same frames, writable
inline constexpr uint64_t direct_map = 0xFFFF'8300'0000'0000;       // slots 262..271: all RAM, no execute
inline constexpr uint64_t direct_map_end = core_end;

// One CPU's block of 64 KiB, mapped page by page; what is not named is an unmapped guard.
//   page 0        entry stub of SYSCALL, read and execute, same content relative to the block
//   pages 1..3    struct Cpu (TSS first), read and write
//   page 5        NMI stack      page 7   #DF stack      page 9   #MC stack     page 11  #DB stack
//   pages 13..15  stack; the guest's frame is at its top
// The blocks lie within 2 GiB of the image: the entry stubs jump there.
inline constexpr uint64_t cpu_block_size = uint64_t{1} << LAYOUT_CPU_SHIFT;
inline constexpr unsigned cpu_data_pages = 3;

// A vCPU's descriptor window: 16 pages of GDT (14 of the guest, then the core's page), 16 of LDT.
inline constexpr uint64_t descriptor_window_size = 0x20000;
inline constexpr uint64_t ldt_offset = 0x10000;

constexpr bool is_canonical(uint64_t address)
{
    return address < guest_low_end || address >= core_begin;
}
// The whole range lies where a guest may have mappings: never in the core's slots.
constexpr bool guest_range_ok(uint64_t address, uint64_t size_bytes)
{
    const uint64_t end = address + size_bytes;
    if (end < address)
        return false;
    return end <= guest_low_end || address >= core_end;
}
// The same in fewer instructions, for a few bytes that are accessed one word after the other: what
// begins at the end of the address space may go on at its beginning, which is the guest's as well.
constexpr bool guest_words_ok(uint64_t address, uint64_t size_bytes)
{
    return address - core_end <= guest_low_end - core_end - size_bytes;
}
static_assert(guest_words_ok(0, 8) && guest_words_ok(guest_low_end - 8, 8) && !guest_words_ok(guest_low_end - 7, 8));
static_assert(!guest_words_ok(guest_low_end, 8) && !guest_words_ok(core_begin - 8, 8) && !guest_words_ok(core_begin, 8));
static_assert(!guest_words_ok(core_end - 1, 8) && guest_words_ok(core_end, 8) && guest_words_ok(~uint64_t{0} - 7, 8));

}  // namespace bulkhead::layout
#endif
