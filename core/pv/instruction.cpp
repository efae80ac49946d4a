// SPDX-License-Identifier: BSD-2-Clause
// Source: Intel SDM vol 2, "Instruction Format", "Opcode Map" and the pages of the instructions.
#include "core/pv/instruction.hpp"

#include <cstring>

namespace bulkhead {

namespace {

constexpr uint8_t rex_w = 8;
constexpr uint8_t rex_r = 4;
constexpr uint8_t rex_x = 2;
constexpr uint8_t rex_b = 1;

// Where decoding stands, and what the prefixes said.
struct Cursor {
    const uint8_t* next;
    bool operand_16 = false;
    bool lock = false;
    bool repeat = false;    // F2 or F3
    bool bad = false;       // a combination of prefixes that no form takes
    uint8_t rex = 0;
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
        return (rex & rex_w) != 0 ? 8 : operand_16 ? 2 : 4;
    }
    [[nodiscard]] uint8_t reg_of(uint8_t modrm) const
    {
        return static_cast<uint8_t>(((modrm >> 3) & 7) | ((rex & rex_r) != 0 ? 8 : 0));
    }
    [[nodiscard]] uint8_t rm_of(uint8_t modrm) const
    {
        return static_cast<uint8_t>((modrm & 7) | ((rex & rex_b) != 0 ? 8 : 0));
    }
};

void take_prefixes(Cursor& at, const uint8_t* end)
{
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
                at.rex = *at.next++;
            return;
        }
    }
}

// What follows a ModRM byte that names memory.
MemoryOperand take_memory(Cursor& at, uint8_t modrm)
{
    MemoryOperand memory = {};
    const uint8_t mode = modrm >> 6;
    uint8_t low = modrm & 7;
    memory.segment = at.segment;
    memory.index = MemoryOperand::no_register;
    bool has_base = true;
    if (low == 4) {
        const uint8_t sib = at.byte();
        const uint8_t index =
            static_cast<uint8_t>(((sib >> 3) & 7) | ((at.rex & rex_x) != 0 ? 8 : 0));
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
    memory.base = has_base ? static_cast<uint8_t>(low | ((at.rex & rex_b) != 0 ? 8 : 0))
                           : MemoryOperand::no_register;
    if (mode == 1)
        memory.displacement = at.integer<int8_t>();
    else if (mode == 2 || !has_base)
        memory.displacement = at.integer<int32_t>();
    return memory;
}

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
    (void)take_memory(at, modrm);
    return {.operation = Operation::forbidden};
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

// --- Stores -------------------------------------------------------------------------------------

// `mov`, `xchg`, `cmpxchg`, and the two-operand logic instructions: a register into memory.
Instruction from_register(Cursor& at, Operation operation, bool bytes)
{
    const uint8_t modrm = at.byte();
    if (modrm >= 0xC0)
        return {};
    Instruction instruction = {.operation = operation,
                               .size = bytes ? uint8_t{1} : at.word_size(),
                               .reg = at.reg_of(modrm)};
    // Without REX, byte registers 4 to 7 are ah, ch, dh and bh.
    if (bytes && at.rex == 0 && instruction.reg >= 4) {
        instruction.high_byte = true;
        instruction.reg &= 3;
    }
    instruction.memory = take_memory(at, modrm);
    return instruction;
}

void take_immediate(Cursor& at, Instruction& instruction, unsigned bytes)
{
    const int64_t value = bytes == 1   ? at.integer<int8_t>()
                          : bytes == 2 ? at.integer<int16_t>()
                                       : at.integer<int32_t>();
    instruction.has_immediate = true;
    instruction.immediate = static_cast<uint64_t>(value) & size_mask(instruction.size);
}

// Groups whose ModRM byte holds part of the opcode: operations[n] for /n.
Instruction from_immediate(Cursor& at, const std::array<Operation, 8>& operations, unsigned size,
                           unsigned immediate_bytes)
{
    const uint8_t modrm = at.byte();
    const Operation operation = operations[(modrm >> 3) & 7];
    if (modrm >= 0xC0 || operation == Operation::refused)
        return {};
    Instruction instruction = {.operation = operation, .size = static_cast<uint8_t>(size)};
    instruction.memory = take_memory(at, modrm);
    take_immediate(at, instruction, immediate_bytes);
    if (operation >= Operation::bit_set)
        instruction.immediate &= 0xFF;      // a bit number is not signed
    return instruction;
}

constexpr Operation refused = Operation::refused;
constexpr std::array<Operation, 8> group_1 = {refused, Operation::bit_or,  refused, refused,
                                              Operation::bit_and, refused, Operation::bit_xor, refused};
constexpr std::array<Operation, 8> group_8 = {refused, refused, refused, refused, refused,
                                              Operation::bit_set, Operation::bit_reset, Operation::bit_complement};
constexpr std::array<Operation, 8> group_11 = {Operation::store, refused, refused, refused,
                                               refused, refused, refused, refused};

// mov with a 64-bit absolute address.
Instruction to_absolute(Cursor& at, bool bytes)
{
    Instruction instruction = {.operation = Operation::store, .size = bytes ? uint8_t{1} : at.word_size()};
    instruction.memory = {.displacement = at.integer<int64_t>(),
                          .base = MemoryOperand::no_register,
                          .index = MemoryOperand::no_register,
                          .scale_shift = 0,
                          .rip_relative = false,
                          .segment = at.segment};
    return instruction;
}

Instruction store_0f(Cursor& at)
{
    switch (at.byte()) {
    case 0xB0:
        return from_register(at, Operation::compare_exchange, true);
    case 0xB1:
        return from_register(at, Operation::compare_exchange, false);
    case 0xAB:
        return from_register(at, Operation::bit_set, false);
    case 0xB3:
        return from_register(at, Operation::bit_reset, false);
    case 0xBB:
        return from_register(at, Operation::bit_complement, false);
    case 0xBA:
        return from_immediate(at, group_8, at.word_size(), 1);
    default:
        return {};
    }
}

Instruction store(Cursor& at)
{
    const uint8_t opcode = at.byte();
    const bool bytes = (opcode & 1) == 0;
    const unsigned word_immediate = at.word_size() == 2 ? 2 : 4;
    switch (opcode) {
    case 0x0F:
        return store_0f(at);
    case 0x88:
    case 0x89:
        return from_register(at, Operation::store, bytes);
    case 0x86:
    case 0x87:
        return from_register(at, Operation::exchange, bytes);
    case 0x08:
    case 0x09:
        return from_register(at, Operation::bit_or, bytes);
    case 0x20:
    case 0x21:
        return from_register(at, Operation::bit_and, bytes);
    case 0x30:
    case 0x31:
        return from_register(at, Operation::bit_xor, bytes);
    case 0x80:
        return from_immediate(at, group_1, 1, 1);
    case 0x81:
        return from_immediate(at, group_1, at.word_size(), word_immediate);
    case 0x83:
        return from_immediate(at, group_1, at.word_size(), 1);
    case 0xC6:
        return from_immediate(at, group_11, 1, 1);
    case 0xC7:
        return from_immediate(at, group_11, at.word_size(), word_immediate);
    case 0xA2:
    case 0xA3:
        return to_absolute(at, bytes);
    default:
        return {};
    }
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

Instruction decode_store(const InstructionBytes& bytes)
{
    Cursor at = {.next = bytes.bytes.data()};
    take_prefixes(at, bytes.bytes.data() + bytes.available);
    if (at.repeat)
        return {};
    const Instruction instruction = store(at);
    // LOCK before a plain store is #UD, which the CPU raises before any fault of the store.
    if (at.lock && instruction.operation == Operation::store)
        return {};
    return finish(bytes, at, instruction);
}

uint64_t read_register(GuestFrame& frame, const Instruction& instruction)
{
    const uint64_t value = register_of(frame, instruction.reg);
    return (instruction.high_byte ? value >> 8 : value) & size_mask(instruction.size);
}

void write_register(GuestFrame& frame, unsigned number, unsigned size, bool high_byte, uint64_t value)
{
    uint64_t& target = register_of(frame, number);
    if (size >= 4) {
        target = value & size_mask(size);
        return;
    }
    const unsigned shift = high_byte ? 8 : 0;
    const uint64_t mask = size_mask(size) << shift;
    target = (target & ~mask) | ((value << shift) & mask);
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
