// SPDX-License-Identifier: BSD-2-Clause
// See decode.hpp. Zydis says where an instruction's parts are; this knows which opcodes read or write
// memory in the ways that the core carries out. Source: Intel SDM vol 2, "Opcode Map".
#include "hvm/machine/decode.hpp"

#include <Zydis/Decoder.h>

#include <algorithm>
#include <optional>

namespace bulkhead::machine_service {

namespace {

struct Action {
    bulkhead_does does = BULKHEAD_DOES_nothing_known;
    bool to_memory = false;
    bool immediate = false;
    uint8_t general_register = 0;
    unsigned size_code = 2;             // 1 << n bytes
};

// The order of the opcodes 00 to 38 and of the groups 80 to 83: ADC and SBB need a carry, which nobody
// combines with a device.
constexpr bulkhead_does arithmetic[8] = {BULKHEAD_DOES_add, BULKHEAD_DOES_or, BULKHEAD_DOES_nothing_known,
                                         BULKHEAD_DOES_nothing_known, BULKHEAD_DOES_and, BULKHEAD_DOES_subtract,
                                         BULKHEAD_DOES_xor, BULKHEAD_DOES_compare};

uint8_t register_of(const ZydisDecodedInstruction& instruction)
{
    return static_cast<uint8_t>(instruction.raw.modrm.reg | instruction.raw.rex.R << 3);
}

Action with_register(const ZydisDecodedInstruction& instruction, bulkhead_does does, bool to_memory)
{
    return {.does = does, .to_memory = to_memory, .general_register = register_of(instruction)};
}

Action with_immediate(bulkhead_does does) { return {.does = does, .to_memory = true, .immediate = true}; }

// One byte of opcode, operands of 32 bits.
Action plain(const ZydisDecodedInstruction& instruction)
{
    const uint8_t opcode = instruction.opcode;
    const auto group = instruction.raw.modrm.reg;
    if (opcode < 0x40 && (opcode & 7) == 1)
        return with_register(instruction, arithmetic[opcode >> 3], true);
    if (opcode < 0x40 && (opcode & 7) == 3)
        return with_register(instruction, arithmetic[opcode >> 3], false);
    switch (opcode) {
    case 0x81:
    case 0x83:
        return with_immediate(arithmetic[group]);
    case 0x85:
        return with_register(instruction, BULKHEAD_DOES_test, true);
    case 0x87:
        return with_register(instruction, BULKHEAD_DOES_exchange, true);
    case 0x89:
        return with_register(instruction, BULKHEAD_DOES_move, true);
    case 0x8B:
        return with_register(instruction, BULKHEAD_DOES_move, false);
    case 0xA1:                                          // the accumulator, at an address that is no ModR/M
        return {.does = BULKHEAD_DOES_move};
    case 0xA3:
        return {.does = BULKHEAD_DOES_move, .to_memory = true};
    case 0xC7:
        return group == 0 ? with_immediate(BULKHEAD_DOES_move) : Action{};
    case 0xF7:
        return group <= 1 ? with_immediate(BULKHEAD_DOES_test) : Action{};
    default:
        return {};
    }
}

// MOVZX.
Action widening(const ZydisDecodedInstruction& instruction)
{
    if (instruction.opcode != 0xB6 && instruction.opcode != 0xB7)
        return {};
    Action action = with_register(instruction, BULKHEAD_DOES_move, false);
    action.size_code = instruction.opcode == 0xB6 ? 0 : 1;
    return action;
}

bool is_far_from_memory(const ZydisDecodedInstruction& instruction)
{
    return (instruction.attributes & ZYDIS_ATTRIB_HAS_MODRM) != 0 && instruction.raw.modrm.mod == 3;
}

Action action_of(const ZydisDecodedInstruction& instruction)
{
    if (instruction.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY || is_far_from_memory(instruction))
        return {};
    if (instruction.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && instruction.operand_width == 32)
        return plain(instruction);
    if (instruction.opcode_map == ZYDIS_OPCODE_MAP_0F && instruction.operand_width >= 32)
        return widening(instruction);
    return {};
}

ZydisMachineMode mode_of(uint8_t mode)
{
    switch (mode) {
    case BULKHEAD_CODE_64: return ZYDIS_MACHINE_MODE_LONG_64;
    case BULKHEAD_CODE_32: return ZYDIS_MACHINE_MODE_LONG_COMPAT_32;
    default: return ZYDIS_MACHINE_MODE_LONG_COMPAT_16;
    }
}

std::optional<ZydisDecodedInstruction> parse(const bulkhead_instruction& question)
{
    const bool wide = question.mode == BULKHEAD_CODE_64;
    const bool narrow = question.mode != BULKHEAD_CODE_64 && question.mode != BULKHEAD_CODE_32;
    ZydisDecoder decoder;
    ZydisDecodedInstruction instruction;
    const size_t bytes = std::min<size_t>(question.length, sizeof(question.bytes));
    if (!ZYAN_SUCCESS(ZydisDecoderInit(&decoder, mode_of(question.mode),
                                       wide     ? ZYDIS_STACK_WIDTH_64
                                       : narrow ? ZYDIS_STACK_WIDTH_16
                                                : ZYDIS_STACK_WIDTH_32)) ||
        !ZYAN_SUCCESS(ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE)) ||
        !ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, nullptr, question.bytes, bytes, &instruction)))
        return std::nullopt;
    return instruction;
}

}  // namespace

uint64_t decode(const bulkhead_instruction& question)
{
    const uint64_t ticket = uint64_t{question.ticket} << BULKHEAD_ANSWER_TICKET_SHIFT;
    const auto instruction = parse(question);
    if (!instruction)
        return ticket;
    const Action action = action_of(*instruction);
    const uint32_t value = action.immediate ? static_cast<uint32_t>(instruction->raw.imm[0].value.u) : 0;
    return ticket | value | uint64_t{instruction->length} << BULKHEAD_ANSWER_LENGTH_SHIFT |
           uint64_t{action.does} << BULKHEAD_ANSWER_DOES_SHIFT |
           uint64_t{action.general_register} << BULKHEAD_ANSWER_REGISTER_SHIFT |
           (action.immediate ? BULKHEAD_ANSWER_IMMEDIATE : 0) | (action.to_memory ? BULKHEAD_ANSWER_TO_MEMORY : 0) |
           uint64_t{action.size_code} << BULKHEAD_ANSWER_SIZE_SHIFT;
}

}  // namespace bulkhead::machine_service
