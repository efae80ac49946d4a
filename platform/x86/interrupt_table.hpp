// SPDX-License-Identifier: BSD-2-Clause
// Entries of the interrupt descriptor table.
#pragma once

#include <cstdint>

namespace bulkhead {

// Source: Intel SDM vol 3, "64-Bit Mode IDT".
struct Gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;               // present, privilege, 64-bit interrupt gate
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};
static_assert(sizeof(Gate) == 16);

constexpr Gate make_gate(uint64_t entry, uint16_t selector, uint8_t ist, uint8_t privilege)
{
    constexpr uint8_t present_interrupt_gate = 0x8E;
    return {static_cast<uint16_t>(entry),
            selector,
            ist,
            static_cast<uint8_t>(present_interrupt_gate | (privilege << 5)),
            static_cast<uint16_t>(entry >> 16),
            static_cast<uint32_t>(entry >> 32),
            0};
}

}  // namespace bulkhead
