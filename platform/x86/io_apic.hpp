// SPDX-License-Identifier: BSD-2-Clause
// Interrupt lines: the I/O APICs that ACPI lists, and the old 8259s, which are switched off.
#pragma once

#include <cstdint>

namespace bulkhead {

// Maps all I/O APICs and masks every line. Start-up only.
void init_interrupt_lines();
// Sends an ISA line (after ACPI's overrides) to a CPU. False if no I/O APIC has it.
[[nodiscard]] bool route_isa_line(uint8_t isa_line, uint8_t vector, uint32_t apic_id);

// A level-triggered line by its global number: sent to a CPU, masked so far. Any CPU; the caller sees to it
// that nobody else changes the same line. False: no I/O APIC has it.
[[nodiscard]] bool route_level_line(uint32_t line, bool active_low, uint8_t vector, uint32_t apic_id);

// What an entry says: `low` with vector, trigger and polarity, for a CPU.
struct LineRoute {
    uint32_t line;
    uint32_t io_apic_id;
    uint32_t low;
    uint32_t apic_id;
};
// An IOMMU that checks interrupts makes entries of its own form.
using LineComposer = bool (*)(const LineRoute& route, uint32_t& low, uint32_t& high);
// Start-up: from here on, and for the lines that are routed already. Null: the plain form again. False:
// a line could not be told.
[[nodiscard]] bool compose_lines(LineComposer composer);

void mask_line(uint32_t line);
void unmask_line(uint32_t line);

}  // namespace bulkhead
