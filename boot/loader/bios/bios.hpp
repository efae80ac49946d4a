// SPDX-License-Identifier: BSD-2-Clause
// The BIOS by single calls: text, disk, memory map.
#pragma once

#include "boot/loader/gpt.hpp"
#include "boot/loader/load.hpp"

namespace bulkhead::loader::bios {

struct BiosRegisters {
    uint32_t eax;
    uint32_t ebx;
    uint32_t ecx;
    uint32_t edx;
    uint32_t esi;
    uint32_t edi;
    uint32_t es;
    uint32_t flags;
    [[nodiscard]] bool carry() const { return (flags & 1) != 0; }
};
static_assert(sizeof(BiosRegisters) == 32);

// Carries out one software interrupt in real mode.
BiosRegisters call(uint8_t number, const BiosRegisters& in);

// On the screen and on the first serial port.
void say(const char* text);

// The drive that the BIOS started from. Null, or why it cannot be used.
[[nodiscard]] const char* open_drive(uint8_t drive, Disk& disk);

// Reads the memory map into `map`. False: the BIOS has none.
[[nodiscard]] bool read_memory_map(boot::Handover& map);

}  // namespace bulkhead::loader::bios
