// SPDX-License-Identifier: BSD-2-Clause
// The small matcher: a fixed list of instruction forms of 64-bit code, nothing else. It works on
// bytes that were read once and knows no register's value; whatever is not on the list is refused.
// Source: Intel SDM vol 2, "Instruction Format" and "Opcode Map".
#pragma once

#include "core/guest_frame.hpp"

#include <array>
#include <cstdint>

namespace bulkhead {

inline constexpr unsigned max_instruction_bytes = 15;

// Zeroed behind `available`, so that decoding needs no bound at each byte: no form reads further
// than 32 bytes, and one that is longer than what was available is refused at its end.
struct InstructionBytes {
    alignas(8) std::array<uint8_t, 32> bytes;
    uint8_t available;      // at most max_instruction_bytes
};

enum class Operation : uint8_t {
    refused,
    // Privileged, or privileged in ring 3. `reg` is the general register, `control` the other one.
    read_control, write_control, read_debug, write_debug,
    rdmsr, wrmsr, cpuid, rdtsc, rdtscp, rdpmc, xsetbv,
    in, out, ins, outs,
    cli, sti, clts, wbinvd, software_interrupt,
    // Recognised so that they are counted by name; they stay forbidden.
    forbidden,
    // Stores to memory: the operand is a register or an immediate.
    store, exchange, compare_exchange, bit_and, bit_or, bit_xor,
    bit_set, bit_reset, bit_complement,
};

enum class SegmentBase : uint8_t { none, fs, gs };

struct MemoryOperand {
    static constexpr uint8_t no_register = 0xFF;
    int64_t displacement = 0;
    uint8_t base = no_register;
    uint8_t index = no_register;
    uint8_t scale_shift = 0;
    bool rip_relative = false;
    SegmentBase segment = SegmentBase::none;
    bool simple = false;    // a base register and the displacement, nothing else
};

struct Instruction {
    Operation operation = Operation::refused;
    uint8_t length = 0;
    uint8_t size = 0;           // bytes of the operand: 1, 2, 4 or 8
    uint8_t reg = 0;            // in the instruction set's order: rax, rcx, rdx, rbx, ...
    uint8_t control = 0;        // number of the control or debug register
    bool high_byte = false;     // `reg` is ah, ch, dh or bh: bits 8 to 15 of reg
    bool has_immediate = false; // the operand is `immediate`, not `reg`
    bool repeat = false;        // REP or REPNE before a string instruction
    uint64_t immediate = 0;     // sign-extended to the operand's size; a port; a vector
    MemoryOperand memory = {};  // of stores; of outs the segment only
};

// Forms that trap with #GP: privileged instructions and `int n`.
[[nodiscard]] Instruction decode_privileged(const InstructionBytes& bytes);
// Forms that change memory and may be used on page tables. False: refused. The instruction comes
// initialised and is filled in where it stands: this is a hot path.
[[nodiscard]] bool decode_store(const InstructionBytes& bytes, Instruction& instruction);

// Positions of the registers in the frame, in units of 8 bytes, in the instruction set's order.
inline constexpr std::array<uint8_t, 16> register_positions = {8, 7, 11, 5, 19, 4, 10, 9, 13, 14, 12, 6, 3, 2, 1, 0};
static_assert(offsetof(GuestFrame, rax) == 8 * 8 && offsetof(GuestFrame, rcx) == 7 * 8
              && offsetof(GuestFrame, rdx) == 11 * 8 && offsetof(GuestFrame, rbx) == 5 * 8
              && offsetof(GuestFrame, rsp) == 19 * 8 && offsetof(GuestFrame, rbp) == 4 * 8
              && offsetof(GuestFrame, rsi) == 10 * 8 && offsetof(GuestFrame, rdi) == 9 * 8
              && offsetof(GuestFrame, r8) == 13 * 8 && offsetof(GuestFrame, r9) == 14 * 8
              && offsetof(GuestFrame, r10) == 12 * 8 && offsetof(GuestFrame, r11) == 6 * 8
              && offsetof(GuestFrame, r12) == 3 * 8 && offsetof(GuestFrame, r15) == 0);

// The saved register of a number (0 to 15).
[[nodiscard]] inline uint64_t& register_of(GuestFrame& frame, unsigned number)
{
    return reinterpret_cast<uint64_t*>(&frame)[register_positions[number & 15]];
}

constexpr uint64_t size_mask(unsigned size)
{
    return size >= 8 ? ~uint64_t{0} : (uint64_t{1} << (size * 8)) - 1;
}

// The operand's bits, zero-extended.
[[nodiscard]] inline uint64_t read_register(GuestFrame& frame, const Instruction& instruction)
{
    const uint64_t value = register_of(frame, instruction.reg);
    return (instruction.high_byte ? value >> 8 : value) & size_mask(instruction.size);
}
// As the CPU does: 4 bytes clear the upper half, 1 and 2 bytes leave the rest.
inline void write_register(GuestFrame& frame, unsigned number, unsigned size, bool high_byte, uint64_t value)
{
    uint64_t& target = register_of(frame, number);
    if (size >= 4) [[likely]] {
        target = value & size_mask(size);
        return;
    }
    const unsigned shift = high_byte ? 8 : 0;
    const uint64_t mask = size_mask(size) << shift;
    target = (target & ~mask) | ((value << shift) & mask);
}

struct SegmentBases {
    uint64_t fs, gs;
};
// The address that the instruction stores to. A bit operation with its bit number in a register may
// reach beyond the operand at that address, and does so here.
[[nodiscard]] uint64_t effective_address(GuestFrame& frame, const Instruction& instruction,
                                         const SegmentBases& bases);

}  // namespace bulkhead
