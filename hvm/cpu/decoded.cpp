// SPDX-License-Identifier: BSD-2-Clause
// See decoded.hpp.
#include "hvm/cpu/decoded.hpp"

#include "core/pv/emulate_flags.hpp"
#include "hvm/cpu/guest_registers.hpp"
#include "hvm/cpu/xapic.hpp"
#include "pvdrivers/abi/machine.h"

namespace bulkhead {

namespace {

constexpr uint8_t register_bytes = 4;

unsigned field(uint64_t answer, unsigned shift, unsigned bits)
{
    return static_cast<unsigned>(answer >> shift) & ((1u << bits) - 1);
}

bool writes_memory(const Decoded& instruction)
{
    switch (instruction.does) {
    case BULKHEAD_DOES_exchange: return true;
    case BULKHEAD_DOES_compare:
    case BULKHEAD_DOES_test: return false;
    default: return instruction.to_memory;
    }
}

bool is_load(const Decoded& instruction) { return instruction.does == BULKHEAD_DOES_move && !instruction.to_memory; }

// An immediate has memory as its other operand, and nothing to be exchanged with.
bool has_sense(const Decoded& instruction)
{
    if (instruction.does == BULKHEAD_DOES_nothing_known || instruction.does > BULKHEAD_DOES_test)
        return false;
    if (instruction.immediate && (!instruction.to_memory || instruction.does == BULKHEAD_DOES_exchange))
        return false;
    return instruction.bytes == register_bytes || (is_load(instruction) && instruction.bytes < register_bytes);
}

// What the CPU saw of one that reads and writes is either, by CPU.
bool agrees(const Decoded& instruction, bool wrote)
{
    if (!writes_memory(instruction))
        return !wrote;
    return wrote || instruction.does != BULKHEAD_DOES_move;
}

// Registers are four bytes at multiples of sixteen; elsewhere nothing is there.
uint32_t read_register(Vcpu& vcpu, uint32_t offset, unsigned bytes)
{
    const uint32_t within = offset % apic_register_bytes;
    if (within + bytes > register_bytes)
        return 0;
    const uint32_t value = read_apic_page(vcpu, offset - within) >> (within * 8);
    return bytes == register_bytes ? value : value & ((1u << (bytes * 8)) - 1);
}

void write_register(Vcpu& vcpu, uint32_t offset, uint32_t value)
{
    if (offset % apic_register_bytes == 0)
        write_apic_page(vcpu, offset, value);
}

struct Outcome {
    uint32_t value;
    uint64_t flags;
};

Outcome compute(uint8_t does, uint32_t destination, uint32_t source, uint64_t flags)
{
    uint32_t value = 0;
    switch (does) {
    case BULKHEAD_DOES_add:
        value = destination + source;
        return {value, flags_of_sum(flags, destination, source, register_bytes)};
    case BULKHEAD_DOES_subtract:
    case BULKHEAD_DOES_compare:
        value = destination - source;
        return {value, flags_of_compare(flags, destination, source, register_bytes)};
    case BULKHEAD_DOES_or:
        value = destination | source;
        break;
    case BULKHEAD_DOES_xor:
        value = destination ^ source;
        break;
    default:
        value = destination & source;
        break;
    }
    return {value, flags_of_logic(flags, value, register_bytes)};
}

}  // namespace

std::optional<Decoded> check_answer(uint64_t answer, unsigned available, bool wrote)
{
    Decoded instruction{};
    instruction.does = static_cast<uint8_t>(field(answer, BULKHEAD_ANSWER_DOES_SHIFT, 4));
    instruction.length = static_cast<uint8_t>(field(answer, BULKHEAD_ANSWER_LENGTH_SHIFT, 4));
    instruction.bytes = static_cast<uint8_t>(1u << field(answer, BULKHEAD_ANSWER_SIZE_SHIFT, 2));
    instruction.general_register = static_cast<uint8_t>(field(answer, BULKHEAD_ANSWER_REGISTER_SHIFT, 4));
    instruction.immediate = (answer & BULKHEAD_ANSWER_IMMEDIATE) != 0;
    instruction.to_memory = (answer & BULKHEAD_ANSWER_TO_MEMORY) != 0;
    instruction.value = static_cast<uint32_t>(answer);
    if (instruction.length == 0 || instruction.length > available || !has_sense(instruction) ||
        !agrees(instruction, wrote))
        return std::nullopt;
    return instruction;
}

void carry_out(Vcpu& vcpu, GuestFrame& frame, const Decoded& instruction, uint32_t offset)
{
    uint64_t& operand = general_register(frame, instruction.general_register);
    const uint32_t given = instruction.immediate ? instruction.value : static_cast<uint32_t>(operand);
    if (instruction.does == BULKHEAD_DOES_move) {
        if (instruction.to_memory)
            write_register(vcpu, offset, given);
        else
            operand = read_register(vcpu, offset, instruction.bytes);
        return;
    }
    const uint32_t memory = read_register(vcpu, offset, register_bytes);
    if (instruction.does == BULKHEAD_DOES_exchange) {
        write_register(vcpu, offset, given);
        operand = memory;
        return;
    }
    const Outcome outcome = instruction.to_memory ? compute(instruction.does, memory, given, frame.rflags)
                                                  : compute(instruction.does, given, memory, frame.rflags);
    frame.rflags = outcome.flags;
    if (writes_memory(instruction))
        write_register(vcpu, offset, outcome.value);
    else if (instruction.does != BULKHEAD_DOES_compare && instruction.does != BULKHEAD_DOES_test)
        operand = outcome.value;
}

}  // namespace bulkhead
