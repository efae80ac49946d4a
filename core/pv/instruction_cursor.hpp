// SPDX-License-Identifier: BSD-2-Clause
// What the two halves of the matcher share: prefixes and operands in memory. For
// core/pv/instruction*.cpp only. Source: Intel SDM vol 2, "Instruction Format".
#pragma once

#include "core/pv/instruction.hpp"

#include <cstring>

namespace bulkhead {

namespace rex {
inline constexpr uint8_t w = 8;
inline constexpr uint8_t r = 4;
inline constexpr uint8_t x = 2;
inline constexpr uint8_t b = 1;
}  // namespace rex

// Where decoding stands, and what the prefixes said.
struct Cursor {
    const uint8_t* next;
    bool operand_16 = false;
    bool lock = false;
    bool repeat = false;    // F2 or F3
    bool bad = false;       // a combination of prefixes that no form takes
    uint8_t rex_bits = 0;
    SegmentBase segment = SegmentBase::none;

    uint8_t byte() { return *next++; }
    template <class T>
    int64_t integer()
    {
        T value;
        memcpy(&value, next, sizeof(T));
        next += sizeof(T);
        return value;
    }
    // Operand size of the forms that are not about bytes.
    [[nodiscard]] uint8_t word_size() const
    {
        return (rex_bits & rex::w) != 0 ? 8 : operand_16 ? 2 : 4;
    }
    [[nodiscard]] uint8_t reg_of(uint8_t modrm) const
    {
        return static_cast<uint8_t>(((modrm >> 3) & 7) | ((rex_bits & rex::r) != 0 ? 8 : 0));
    }
    [[nodiscard]] uint8_t rm_of(uint8_t modrm) const
    {
        return static_cast<uint8_t>((modrm & 7) | ((rex_bits & rex::b) != 0 ? 8 : 0));
    }
};

[[gnu::always_inline]] inline void take_prefixes(Cursor& at, const uint8_t* end)
{
    if ((*at.next & 0xF0) == 0x40) [[likely]] {     // kernels' usual one: REX.W alone
        at.rex_bits = *at.next++;
        return;
    }
    // A REX prefix counts only directly before the opcode; elsewhere it is refused, not ignored.
    for (; at.next != end; ++at.next) {
        switch (*at.next) {
        case 0x66:
            at.operand_16 = true;
            break;
        case 0xF0:
            at.lock = true;
            break;
        case 0xF2:
        case 0xF3:
            at.repeat = true;
            break;
        // These four mean nothing in 64-bit code; 0x3E is what kernels leave where a LOCK was.
        case 0x26:
        case 0x2E:
        case 0x36:
        case 0x3E:
            if (at.segment != SegmentBase::none)
                at.bad = true;
            break;
        case 0x64:
        case 0x65:
            if (at.segment != SegmentBase::none)
                at.bad = true;
            at.segment = *at.next == 0x64 ? SegmentBase::fs : SegmentBase::gs;
            break;
        default:
            if ((*at.next & 0xF0) == 0x40)
                at.rex_bits = *at.next++;
            return;
        }
    }
}

// What follows a ModRM byte that names memory.
[[gnu::always_inline]] inline void take_memory(Cursor& at, uint8_t modrm, MemoryOperand& memory)
{
    const uint8_t mode = modrm >> 6;
    uint8_t low = modrm & 7;
    memory.segment = at.segment;
    bool has_base = true;
    if (low == 4) {
        const uint8_t sib = at.byte();
        const uint8_t index =
            static_cast<uint8_t>(((sib >> 3) & 7) | ((at.rex_bits & rex::x) != 0 ? 8 : 0));
        if (index != 4) {
            memory.index = index;
            memory.scale_shift = sib >> 6;
        }
        low = sib & 7;
        has_base = !(low == 5 && mode == 0);
    } else if (low == 5 && mode == 0) {
        has_base = false;
        memory.rip_relative = true;
    }
    memory.simple = has_base && memory.index == MemoryOperand::no_register && at.segment == SegmentBase::none;
    memory.base = has_base ? static_cast<uint8_t>(low | ((at.rex_bits & rex::b) != 0 ? 8 : 0))
                           : MemoryOperand::no_register;
    if (mode == 1)
        memory.displacement = at.integer<int8_t>();
    else if (mode == 2 || !has_base)
        memory.displacement = at.integer<int32_t>();
}

}  // namespace bulkhead
