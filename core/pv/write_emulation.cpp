// SPDX-License-Identifier: BSD-2-Clause
// See write_emulation.hpp.
#include "core/pv/write_emulation.hpp"

#include "core/pv/l1_entries.hpp"
#include "core/pv/page_table.hpp"
#include "machine/memory.hpp"
#include "platform/x86/layout.hpp"

namespace bulkhead {

namespace {

using Operation = PageTableWrite::Operation;
using Outcome = PageTableWriteOutcome;

// The bytes of an entry that the store touches, as bits.
struct Field {
    unsigned shift;
    uint64_t mask;           // not shifted

    [[nodiscard]] uint64_t get(uint64_t entry) const { return (entry >> shift) & mask; }
    [[nodiscard]] uint64_t set(uint64_t entry, uint64_t value) const
    {
        return (entry & ~(mask << shift)) | ((value & mask) << shift);
    }
};

bool size_ok(const PageTableWrite& write)
{
    constexpr unsigned sizes = 1u << 1 | 1u << 2 | 1u << 4 | 1u << 8;
    return (write.address.raw() & 7) + write.size <= 8 && (sizes >> write.size & 1) != 0;
}

Field field_of(const PageTableWrite& write)
{
    const auto shift = static_cast<unsigned>(write.address.raw() & 7) * 8;
    return {shift, ~uint64_t{0} >> (64 - write.size * 8u)};
}

uint64_t bit_of(const PageTableWrite& write) { return uint64_t{1} << (write.operand & (write.size * 8u - 1)); }

uint64_t new_value(const PageTableWrite& write, uint64_t old)
{
    switch (write.operation) {
    case Operation::store:
    case Operation::exchange:
    case Operation::compare_exchange:
        return write.operand;
    case Operation::bit_and:
        return old & write.operand;
    case Operation::bit_or:
        return old | write.operand;
    case Operation::bit_xor:
        return old ^ write.operand;
    case Operation::bit_set:
        return old | bit_of(write);
    case Operation::bit_reset:
        return old & ~bit_of(write);
    }
    return old;
}

bool success(const PageTableWrite& write, uint64_t old, uint64_t mask)
{
    switch (write.operation) {
    case Operation::compare_exchange:
        return old == (write.expected & mask);
    case Operation::bit_set:
    case Operation::bit_reset:
        return (old & bit_of(write)) != 0;
    default:
        return true;
    }
}

Outcome refuse(Partition& partition)
{
    ++partition.memory.counters.writes_refused;
    return Outcome::refused;
}

// A table that is mapped at an address, and the entry there.
struct Target {
    uint64_t* entry;
    Mfn table;
    FrameType type;          // none: the address shows no valid table of the partition
};

[[gnu::always_inline]] inline Target find_target(const Vcpu& vcpu, uint64_t address)
{
    constexpr Target nothing{nullptr, Mfn(0), FrameType::none};
    const uint64_t* mapping = l1_entry_at(vcpu, address);
    if (mapping == nullptr) [[unlikely]]
        return nothing;
    const uint64_t value = *mapping;
    if ((value & (pte::present | pte::writable | pte::foreign)) != pte::present) [[unlikely]]
        return nothing;
    // Present and not granted: the frame is the partition's own.
    const Mfn table = pte::frame(value);
    const uint64_t state = frame::entry_of(table).state.load(std::memory_order_relaxed);
    if ((state & frame::validated) == 0 || !is_table(frame::type_of(state))) [[unlikely]]
        return nothing;
    constexpr uint64_t offset_of_entry = page_mask & ~uint64_t{7};
    const HostPhysical place((value & pte::address) | (address & offset_of_entry));
    return {machine::physical_pointer<uint64_t>(place), table, frame::type_of(state)};
}

Errno apply(Vcpu& vcpu, const Target& target, uint64_t expected, uint64_t value, WorkBudget& budget)
{
    if (target.type == FrameType::l1) [[likely]]
        return write_l1_entry<L1Write::if_equal>(*vcpu.partition, target.entry, value, expected);
    const auto index = static_cast<uint16_t>((reinterpret_cast<uintptr_t>(target.entry) & page_mask) / 8);
    const EntryPlace place{target.entry, target.table, target.type, index};
    const Result<> result = update_entry(vcpu, place, {.value = value, .has_expected = true, .expected = expected},
                                         budget);
    return result.has_value() ? frame::ok : result.error();
}

}  // namespace

// Without the lock the tables may change, and stop being tables, under our eyes: each frame is known
// to be the partition's own before it is looked into, and then whatever it holds does no harm.
bool is_page_table_address(const Vcpu& vcpu, GuestVirtual address)
{
    constexpr unsigned entry_shift = 3;
    constexpr uint64_t offset_bits = page_mask & ~uint64_t{7};
    if (!is_guest_address(address.raw()))
        return false;
    const DomainId owner = vcpu.partition->id;
    uint64_t table = address_of(vcpu.pv.kernel_table).raw();
    uint64_t entry = 0;
#pragma GCC unroll 4
    for (unsigned shift = 39; shift >= page_shift; shift -= 9) {
        const uint64_t offset = (address.raw() >> (shift - entry_shift)) & offset_bits;
        entry = TableEntry(*machine::physical_pointer<uint64_t>(HostPhysical(table + offset)))
                    .load(std::memory_order_relaxed);
        if ((entry & pte::present) == 0)
            return false;
        table = entry & pte::address;
        if (frame::find(frame_of(HostPhysical(table)), owner) == nullptr)
            return false;
    }
    const uint64_t state = frame::entry_of(frame_of(HostPhysical(table))).state.load(std::memory_order_relaxed);
    return (entry & (pte::writable | pte::foreign)) == 0 && (state & frame::given) != 0
        && (state & frame::validated) != 0 && is_table(frame::type_of(state));
}

PageTableWriteOutcome emulate_page_table_write(Vcpu& vcpu, const PageTableWrite& write, PageTableWriteResult& result)
{
    Partition& partition = *vcpu.partition;
    WorkBudget budget;
    const LockGuard guard(partition.memory.lock);
    if (!finish_walk(partition, budget)) [[unlikely]]
        return Outcome::retry;
    const Target target = find_target(vcpu, write.address.raw());
    // An everyday write fault, which is not counted.
    if (target.type == FrameType::none) [[unlikely]]
        return Outcome::refused;
    if (!size_ok(write)) [[unlikely]]
        return refuse(partition);

    const Field field = field_of(write);
    const uint64_t entry = TableEntry(*target.entry).load(std::memory_order_relaxed);
    const uint64_t old = field.get(entry);
    result = {old, new_value(write, old) & field.mask, success(write, old, field.mask)};
    if (write.operation == Operation::compare_exchange && !result.success)
        return Outcome::done;
    const Errno error = apply(vcpu, target, entry, field.set(entry, result.new_value), budget);
    if (error == frame::ok) [[likely]] {
        ++partition.memory.counters.writes_emulated;
        return Outcome::done;
    }
    // XEN_EAGAIN: a CPU set an accessed or dirty bit meanwhile. Nothing was changed.
    return error == XEN_ERESTART || error == XEN_EAGAIN ? Outcome::retry : refuse(partition);
}

}  // namespace bulkhead
