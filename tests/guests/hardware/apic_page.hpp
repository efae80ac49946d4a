// SPDX-License-Identifier: BSD-2-Clause
// The local APIC by its page, for guests of partitions with apic = "xapic".
#pragma once

#include "cpu.hpp"

extern "C" uint64_t table_3[512];

inline constexpr uint64_t page_address = 0xFEE0'0000;
inline constexpr uint32_t page_id = 0x20, page_version = 0x30, page_tpr = 0x80, page_eoi = 0xB0, page_ldr = 0xD0;
inline constexpr uint32_t page_dfr = 0xE0, page_spurious = 0xF0, page_service = 0x100, page_error = 0x280;
inline constexpr uint32_t page_command = 0x300, page_destination = 0x310, page_timer = 0x320, page_initial = 0x380;
inline constexpr uint32_t page_divide = 0x3E0;

INLINE volatile uint32_t& apic_register(uint32_t offset)
{
    return *reinterpret_cast<volatile uint32_t*>(page_address + offset);
}

// It is in the fourth gigabyte, which start.S does not map.
inline void map_apic_page()
{
    alignas(4096) static uint64_t directory[512];
    constexpr uint64_t present = 7, large_uncached = 0x97;
    directory[page_address >> 21 & 511] = page_address | large_uncached;
    table_3[3] = reinterpret_cast<uint64_t>(directory) | present;
}
