// SPDX-License-Identifier: BSD-2-Clause
// The local APIC's registers by number: by MSR 0x800 and the number, in the page at 16 times the number.
// Source: Intel SDM vol 3, "Local APIC Register Address Map", "x2APIC Register Address Space".
#pragma once

#include <array>
#include <cstdint>

namespace bulkhead::apic {

inline constexpr uint32_t first_register = 0x800;

enum Register : uint32_t {
    reg_id = 0x02,
    reg_version = 0x03,
    reg_tpr = 0x08,
    reg_ppr = 0x0A,
    reg_eoi = 0x0B,
    reg_ldr = 0x0D,
    reg_dfr = 0x0E,                 // page only
    reg_svr = 0x0F,
    reg_isr = 0x10,
    reg_tmr = 0x18,
    reg_irr = 0x20,
    reg_esr = 0x28,
    reg_lvt_cmci = 0x2F,
    reg_icr = 0x30,
    reg_icr_high = 0x31,            // page only
    reg_lvt_timer = 0x32,
    reg_lvt_error = 0x37,
    reg_timer_initial = 0x38,
    reg_timer_current = 0x39,
    reg_timer_divide = 0x3E,
    reg_self_ipi = 0x3F,            // MSR only
};

inline constexpr uint32_t command_reserved = 0xFFF3'2000;   // bits 13, 16, 17, 20 to 31
inline constexpr uint32_t command_pending = 1u << 12;       // the page's: never, since IPIs go at once

// What an entry of the local vector table may hold, CMCI first.
inline constexpr std::array<uint32_t, 7> lvt_bits{0x107FF, 0x700FF, 0x107FF, 0x107FF, 0x1A7FF, 0x1A7FF, 0x100FF};

constexpr bool is_lvt(uint32_t reg) { return reg == reg_lvt_cmci || (reg >= reg_lvt_timer && reg <= reg_lvt_error); }
constexpr unsigned lvt_index(uint32_t reg) { return reg == reg_lvt_cmci ? 0 : reg - reg_lvt_timer + 1; }

}  // namespace bulkhead::apic
