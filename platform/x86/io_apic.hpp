// SPDX-License-Identifier: BSD-2-Clause
// Interrupt lines: the I/O APICs that ACPI lists, and the old 8259s, which are switched off.
#pragma once

#include <cstdint>

namespace bulkhead {

// Maps all I/O APICs and masks every line. Start-up only.
void init_interrupt_lines();
// Sends an ISA line (after ACPI's overrides) to a CPU. False if no I/O APIC has it.
[[nodiscard]] bool route_isa_line(uint8_t isa_line, uint8_t vector, uint32_t apic_id);

}  // namespace bulkhead
