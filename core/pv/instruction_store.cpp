// SPDX-License-Identifier: BSD-2-Clause
// The half of the matcher that knows stores, and the address that one goes to.
// Source: Intel SDM vol 2, "Opcode Map" and the pages of the instructions.
#include "core/pv/instruction.hpp"

#include "core/pv/instruction_cursor.hpp"

namespace bulkhead {

namespace {

// What follows an opcode that stores: a ModRM byte, except for `absolute`, then an immediate.
struct Form {
    Operation operation = Operation::refused;   // of groups: looked up by the register field
    enum Immediate : uint8_t { none, byte, word } immediate = none;
    enum Group : uint8_t { no_group, group_1, group_8, group_11, absolute } group = no_group;
    bool bytes = false;                         // operands of one byte, whatever the prefixes say
};

constexpr std::array<Form, 256> make_one_byte_forms()
{
    std::array<Form, 256> forms{};
    const auto pair = [&](unsigned opcode, Operation operation) {
        forms[opcode] = {.operation = operation, .bytes = true};
        forms[opcode + 1] = {.operation = operation};
    };
    pair(0x08, Operation::bit_or);
    pair(0x20, Operation::bit_and);
    pair(0x30, Operation::bit_xor);
    pair(0x86, Operation::exchange);
    pair(0x88, Operation::store);
    forms[0x80] = {.operation = Operation::forbidden, .immediate = Form::byte, .group = Form::group_1, .bytes = true};
    forms[0x81] = {.operation = Operation::forbidden, .immediate = Form::word, .group = Form::group_1};
    forms[0x83] = {.operation = Operation::forbidden, .immediate = Form::byte, .group = Form::group_1};
    forms[0xC6] = {.operation = Operation::forbidden, .immediate = Form::byte, .group = Form::group_11, .bytes = true};
    forms[0xC7] = {.operation = Operation::forbidden, .immediate = Form::word, .group = Form::group_11};
    forms[0xA2] = {.operation = Operation::store, .group = Form::absolute, .bytes = true};
    forms[0xA3] = {.operation = Operation::store, .group = Form::absolute};
    return forms;
}

constexpr std::array<Form, 256> make_two_byte_forms()
{
    std::array<Form, 256> forms{};
    forms[0xB0] = {.operation = Operation::compare_exchange, .bytes = true};
    forms[0xB1] = {.operation = Operation::compare_exchange};
    forms[0xAB] = {.operation = Operation::bit_set};
    forms[0xB3] = {.operation = Operation::bit_reset};
    forms[0xBB] = {.operation = Operation::bit_complement};
    forms[0xBA] = {.operation = Operation::forbidden, .immediate = Form::byte, .group = Form::group_8};
    return forms;
}

constexpr std::array<Form, 256> one_byte_forms = make_one_byte_forms();
constexpr std::array<Form, 256> two_byte_forms = make_two_byte_forms();

Operation group_operation(Form::Group group, unsigned field)
{
    switch (group) {
    case Form::group_1:
        return field == 1 ? Operation::bit_or : field == 4 ? Operation::bit_and
               : field == 6 ? Operation::bit_xor : Operation::refused;
    case Form::group_8:
        return field == 5 ? Operation::bit_set : field == 6 ? Operation::bit_reset
               : field == 7 ? Operation::bit_complement : Operation::refused;
    case Form::group_11:
        return field == 0 ? Operation::store : Operation::refused;
    default:
        return Operation::refused;
    }
}

void take_immediate(Cursor& at, Instruction& instruction, Form::Immediate form)
{
    const int64_t value = form == Form::byte        ? at.integer<int8_t>()
                          : instruction.size == 2   ? at.integer<int16_t>()
                                                    : at.integer<int32_t>();
    // A bit number is not signed.
    const uint64_t mask = instruction.operation >= Operation::bit_set ? 0xFF : size_mask(instruction.size);
    instruction.has_immediate = true;
    instruction.immediate = static_cast<uint64_t>(value) & mask;
}

// mov with a 64-bit absolute address; the register is rax.
void take_absolute(Cursor& at, Instruction& instruction)
{
    instruction.memory.displacement = at.integer<int64_t>();
    instruction.memory.segment = at.segment;
}

// False: no form of a store.
[[gnu::always_inline]] inline bool take_store(Cursor& at, Instruction& instruction)
{
    uint8_t opcode = at.byte();
    const Form& form = opcode == 0x0F ? two_byte_forms[at.byte()] : one_byte_forms[opcode];
    if (form.operation == Operation::refused) [[unlikely]]
        return false;
    instruction.operation = form.operation;
    instruction.size = form.bytes ? uint8_t{1} : at.word_size();
    if (form.group == Form::absolute) [[unlikely]] {
        take_absolute(at, instruction);
        return true;
    }
    const uint8_t modrm = at.byte();
    if (modrm >= 0xC0) [[unlikely]]
        return false;
    if (form.group != Form::no_group) {
        instruction.operation = group_operation(form.group, (modrm >> 3) & 7);
        if (instruction.operation == Operation::refused)
            return false;
    } else {
        instruction.reg = at.reg_of(modrm);
        // Without REX, byte registers 4 to 7 are ah, ch, dh and bh.
        if (form.bytes && at.rex_bits == 0 && instruction.reg >= 4) {
            instruction.high_byte = true;
            instruction.reg &= 3;
        }
    }
    take_memory(at, modrm, instruction.memory);
    if (form.immediate != Form::none)
        take_immediate(at, instruction, form.immediate);
    return true;
}

}  // namespace

bool decode_store(const InstructionBytes& bytes, Instruction& instruction)
{
    Cursor at = {.next = bytes.bytes.data()};
    take_prefixes(at, bytes.bytes.data() + bytes.available);
    if (!take_store(at, instruction) || at.repeat || at.bad) [[unlikely]]
        return false;
    // LOCK before a plain store is #UD, which the CPU raises before any fault of the store.
    if (at.lock && instruction.operation == Operation::store) [[unlikely]]
        return false;
    const auto length = static_cast<uint64_t>(at.next - bytes.bytes.data());
    instruction.length = static_cast<uint8_t>(length);
    return length <= bytes.available;
}

uint64_t effective_address(GuestFrame& frame, const Instruction& instruction, const SegmentBases& bases)
{
    const MemoryOperand& memory = instruction.memory;
    auto address = static_cast<uint64_t>(memory.displacement);
    if (memory.rip_relative)
        address += frame.rip + instruction.length;
    if (memory.base != MemoryOperand::no_register)
        address += register_of(frame, memory.base);
    if (memory.index != MemoryOperand::no_register)
        address += register_of(frame, memory.index) << memory.scale_shift;
    if (memory.segment == SegmentBase::fs)
        address += bases.fs;
    else if (memory.segment == SegmentBase::gs)
        address += bases.gs;
    const bool is_bit = instruction.operation >= Operation::bit_set;
    if (is_bit && !instruction.has_immediate) {
        // The bit number is signed and selects an operand of the same size, counted from the address.
        const unsigned bits = instruction.size * 8u;
        const uint64_t raw = read_register(frame, instruction);
        const auto number = static_cast<int64_t>(raw << (64 - bits)) >> (64 - bits);
        const unsigned log2_bits = bits == 64 ? 6 : bits == 32 ? 5 : 4;
        address += static_cast<uint64_t>((number >> log2_bits) * instruction.size);
    }
    return address;
}

}  // namespace bulkhead
