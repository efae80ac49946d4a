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

// The two enumerations agree as far as page tables go. btc is left out: no kernel flips a bit of an entry.
constexpr Kind kind_of(Operation operation)
{
    return static_cast<Kind>(static_cast<unsigned>(operation) - static_cast<unsigned>(Operation::store));
}
static_assert(kind_of(Operation::store) == Kind::store && kind_of(Operation::exchange) == Kind::exchange
              && kind_of(Operation::compare_exchange) == Kind::compare_exchange
              && kind_of(Operation::bit_and) == Kind::bit_and && kind_of(Operation::bit_or) == Kind::bit_or
              && kind_of(Operation::bit_xor) == Kind::bit_xor && kind_of(Operation::bit_set) == Kind::bit_set
              && kind_of(Operation::bit_reset) == Kind::bit_reset);

// Bases are read only when a prefix names one: it costs.
[[gnu::always_inline]] inline uint64_t address_of_store(const Vcpu& vcpu, GuestFrame& frame,
                                                        const Instruction& instruction)
{
    const MemoryOperand& memory = instruction.memory;
    if (memory.simple && instruction.operation < Operation::bit_set) [[likely]]
        return register_of(frame, memory.base) + static_cast<uint64_t>(memory.displacement);
    SegmentBases bases = {};
    if (memory.segment == SegmentBase::fs) [[unlikely]]
        bases.fs = read_fs_base(vcpu);
    else if (memory.segment == SegmentBase::gs) [[unlikely]]
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

// Counted only where it would have been a page table's: other write faults are everyday.
[[gnu::cold, gnu::noinline]] Emulation refuse_store(Vcpu& vcpu, GuestVirtual fault)
{
    if (is_page_table_address(vcpu, fault))
        vcpu.pv.emulation.count(Trapped::page_table_store_refused);
    return Emulation::reflect;
}

}  // namespace

Emulation emulate_page_table_store(Vcpu& vcpu, GuestFrame& frame, GuestVirtual fault)
{
    InstructionBytes bytes;
    Instruction instruction;
    if (!runs_64bit_code(frame) || !fetch(bytes, frame) || !decode_store(bytes, instruction)) [[unlikely]]
        return refuse_store(vcpu, fault);
    // A store whose first byte is not what faulted crosses pages, or was not this instruction's.
    if (instruction.operation == Operation::bit_complement
        || address_of_store(vcpu, frame, instruction) != fault.raw()) [[unlikely]]
        return refuse_store(vcpu, fault);

    PageTableWrite write = {
        .address = fault,
        .size = instruction.size,
        .operation = kind_of(instruction.operation),
        .operand = instruction.has_immediate ? instruction.immediate : read_register(frame, instruction),
        .expected = frame.rax & size_mask(instruction.size),
    };
    if (write.operation >= Kind::bit_set)
        write.operand &= instruction.size * 8u - 1;
    PageTableWriteResult result;
    switch (emulate_page_table_write(vcpu, write, result)) {
    case PageTableWriteOutcome::done:
        break;
    case PageTableWriteOutcome::retry:
        return Emulation::done;
    case PageTableWriteOutcome::refused:
        return refuse_store(vcpu, fault);
    }
    vcpu.pv.emulation.count(Trapped::page_table_store);
    write_back(frame, instruction, write, result);
    return complete(vcpu, frame, instruction.length);
}

}  // namespace bulkhead
