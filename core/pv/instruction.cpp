// SPDX-License-Identifier: BSD-2-Clause
// The privileged half of the matcher.
// Source: Intel SDM vol 2, "Opcode Map" and the pages of the instructions.
#include "core/pv/instruction.hpp"

#include "core/pv/instruction_cursor.hpp"

namespace bulkhead {

namespace {

Instruction finish(const InstructionBytes& bytes, const Cursor& at, Instruction instruction)
{
    const auto length = static_cast<uint64_t>(at.next - bytes.bytes.data());
    if (length > bytes.available || at.bad)
        return {};
    instruction.length = static_cast<uint8_t>(length);
    return instruction;
}

Instruction privileged_0f01(Cursor& at)
{
    const uint8_t modrm = at.byte();
    const uint8_t group = (modrm >> 3) & 7;
    if (modrm >= 0xC0 && (group == 4 || group == 6))
        return {.operation = Operation::forbidden};     // smsw (under UMIP), lmsw
    if (modrm >= 0xC0 && modrm < 0xF8 && at.operand_16)
        return {};                                      // other instructions, or none
    switch (modrm) {
    case 0xD1:
        return {.operation = Operation::xsetbv};
    case 0xF9:
        return {.operation = Operation::rdtscp};
    case 0xF8:              // swapgs
    case 0xC8:              // monitor
    case 0xC9:              // mwait
        return {.operation = Operation::forbidden};
    default:
        break;
    }
    // sgdt, sidt (under UMIP), lgdt, lidt, smsw, lmsw, invlpg; /5 is none.
    if (modrm >= 0xC0 || group == 5)
        return {};
    Instruction instruction = {.operation = Operation::forbidden};
    take_memory(at, modrm, instruction.memory);
    return instruction;
}

Instruction privileged_0f(Cursor& at)
{
    const uint8_t opcode = at.byte();
    switch (opcode) {
    case 0x01:
        return privileged_0f01(at);
    case 0x06:
        return {.operation = Operation::clts};
    case 0x09:
        return {.operation = Operation::wbinvd};
    case 0x07:              // sysret
    case 0x08:              // invd
    case 0x35:              // sysexit
        return {.operation = Operation::forbidden};
    case 0x20:
    case 0x21:
    case 0x22:
    case 0x23: {
        // The upper two bits of ModRM are ignored: the operand is always a register.
        constexpr std::array<Operation, 4> operations = {
            Operation::read_control, Operation::read_debug, Operation::write_control, Operation::write_debug};
        const uint8_t modrm = at.byte();
        return {.operation = operations[opcode & 3], .size = 8, .reg = at.rm_of(modrm),
                .control = at.reg_of(modrm)};
    }
    case 0x30:
        return {.operation = Operation::wrmsr};
    case 0x31:
        return {.operation = Operation::rdtsc};
    case 0x32:
        return {.operation = Operation::rdmsr};
    case 0x33:
        return {.operation = Operation::rdpmc};
    case 0xA2:
        return {.operation = Operation::cpuid};
    default:
        return {};
    }
}

// 0xE4..0xE7, 0xEC..0xEF, 0x6C..0x6F: bit 0 of the opcode says byte or not, bit 1 the direction.
Instruction port_access(Cursor& at, uint8_t opcode)
{
    const bool string = opcode < 0x80;
    const bool writes = (opcode & 2) != 0;
    Instruction instruction = {
        .operation = string ? (writes ? Operation::outs : Operation::ins)
                            : (writes ? Operation::out : Operation::in),
        // REX.W overrides the 16-bit prefix and means 4 bytes.
        .size = static_cast<uint8_t>((opcode & 1) == 0 ? 1 : at.word_size() == 2 ? 2 : 4),
        .repeat = string && at.repeat,
    };
    if (opcode >= 0xE4 && opcode <= 0xE7) {
        instruction.has_immediate = true;
        instruction.immediate = at.byte();
    }
    instruction.memory.segment = string && writes ? at.segment : SegmentBase::none;
    return instruction;
}

Instruction privileged(Cursor& at)
{
    const uint8_t opcode = at.byte();
    switch (opcode) {
    case 0x0F:
        return privileged_0f(at);
    case 0xFA:
        return {.operation = Operation::cli};
    case 0xFB:
        return {.operation = Operation::sti};
    case 0xF4:              // hlt
    case 0xCF:              // iret
        return {.operation = Operation::forbidden};
    case 0xCD:
        return {.operation = Operation::software_interrupt, .has_immediate = true, .immediate = at.byte()};
    default:
        break;
    }
    if (((opcode - 0x6C) & ~3) == 0 || ((opcode - 0xE4) & ~0xB) == 0)
        return port_access(at, opcode);
    return {};
}

}  // namespace

Instruction decode_privileged(const InstructionBytes& bytes)
{
    Cursor at = {.next = bytes.bytes.data()};
    take_prefixes(at, bytes.bytes.data() + bytes.available);
    if (at.lock)
        return {};
    const Instruction instruction = privileged(at);
    const bool takes_prefixes = instruction.operation == Operation::ins
                                || instruction.operation == Operation::outs;
    if (at.repeat && !takes_prefixes)
        return {};
    return finish(bytes, at, instruction);
}

}  // namespace bulkhead
