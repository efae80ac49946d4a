// SPDX-License-Identifier: BSD-2-Clause
// Stores of a guest's kernel to its page tables by plain instructions: the store is decoded here,
// applied by core/pv/write_emulation.hpp, and its registers and flags are written back here.
#include "core/pv/emulate.hpp"

#include "core/pv/emulate_complete.hpp"
#include "core/pv/emulate_fetch.hpp"
#include "core/pv/emulate_flags.hpp"
#include "core/pv/instruction.hpp"
#include "core/pv/segments.hpp"
#include "core/pv/write_emulation.hpp"

namespace bulkhead {

namespace {

using Kind = PageTableWrite::Operation;

std::optional<Kind> kind_of(Operation operation)
{
    switch (operation) {
    case Operation::store:
        return Kind::store;
    case Operation::exchange:
        return Kind::exchange;
    case Operation::compare_exchange:
        return Kind::compare_exchange;
    case Operation::bit_and:
        return Kind::bit_and;
    case Operation::bit_or:
        return Kind::bit_or;
    case Operation::bit_xor:
        return Kind::bit_xor;
    case Operation::bit_set:
        return Kind::bit_set;
    case Operation::bit_reset:
        return Kind::bit_reset;
    default:
        return std::nullopt;    // btc: no kernel flips a bit of an entry
    }
}

// Bases are read only when a prefix names one: it costs.
uint64_t address_of_store(const Vcpu& vcpu, GuestFrame& frame, const Instruction& instruction)
{
    SegmentBases bases = {};
    if (instruction.memory.segment == SegmentBase::fs) [[unlikely]]
        bases.fs = read_fs_base(vcpu);
    else if (instruction.memory.segment == SegmentBase::gs) [[unlikely]]
        bases.gs = read_gs_base(vcpu);
    return effective_address(frame, instruction, bases);
}

void write_back(GuestFrame& frame, const Instruction& instruction, const PageTableWrite& write,
                const PageTableWriteResult& result)
{
    const unsigned size = instruction.size;
    switch (write.operation) {
    case Kind::store:
        return;
    case Kind::exchange:
        return write_register(frame, instruction.reg, size, instruction.high_byte, result.old_value);
    case Kind::compare_exchange:
        frame.rflags = flags_of_compare(frame.rflags, write.expected, result.old_value, size);
        if (!result.success)
            write_register(frame, 0, size, false, result.old_value);
        return;
    case Kind::bit_and:
    case Kind::bit_or:
    case Kind::bit_xor:
        frame.rflags = flags_of_logic(frame.rflags, result.new_value, size);
        return;
    case Kind::bit_set:
    case Kind::bit_reset:
        frame.rflags = flags_of_bit(frame.rflags, result.success);
        return;
    }
}

Emulation refuse_store(Vcpu& vcpu)
{
    vcpu.pv.emulation.count(Trapped::page_table_store_refused);
    return Emulation::reflect;
}

}  // namespace

Emulation emulate_page_table_store(Vcpu& vcpu, GuestFrame& frame, GuestVirtual fault)
{
    if (!is_page_table_address(vcpu, fault))
        return Emulation::reflect;
    InstructionBytes bytes;
    if (!runs_64bit_code(frame) || !fetch(bytes, frame)) [[unlikely]]
        return refuse_store(vcpu);
    const Instruction instruction = decode_store(bytes);
    const std::optional<Kind> kind = kind_of(instruction.operation);
    // A store whose first byte is not what faulted crosses pages, or was not this instruction's.
    if (!kind.has_value() || address_of_store(vcpu, frame, instruction) != fault.raw()) [[unlikely]]
        return refuse_store(vcpu);

    PageTableWrite write = {
        .address = fault,
        .size = instruction.size,
        .operation = *kind,
        .operand = instruction.has_immediate ? instruction.immediate : read_register(frame, instruction),
        .expected = frame.rax & size_mask(instruction.size),
    };
    if (*kind >= Kind::bit_set)
        write.operand &= instruction.size * 8u - 1;
    PageTableWriteResult result;
    switch (emulate_page_table_write(vcpu, write, result)) {
    case PageTableWriteOutcome::done:
        break;
    case PageTableWriteOutcome::retry:
        return Emulation::done;
    case PageTableWriteOutcome::refused:
        return refuse_store(vcpu);
    }
    vcpu.pv.emulation.count(Trapped::page_table_store);
    write_back(frame, instruction, write, result);
    return complete(vcpu, frame, instruction.length);
}

}  // namespace bulkhead
