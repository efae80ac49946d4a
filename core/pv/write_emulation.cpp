// SPDX-License-Identifier: BSD-2-Clause
// See write_emulation.hpp.
#include "core/pv/write_emulation.hpp"

#include "core/frame_references.hpp"
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
    const bool is_power = write.size == 1 || write.size == 2 || write.size == 4 || write.size == 8;
    return is_power && (write.address.raw() & 7) + write.size <= 8;
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

// The entry that the address shows, if it is one of a valid table of the partition.
Result<EntryPlace> find_target(const Vcpu& vcpu, GuestVirtual address)
{
    const EntryPlace mapping = TRY(find_l1_entry(vcpu, address));
    const uint64_t value = TableEntry(*mapping.entry).load(std::memory_order_relaxed);
    if ((value & (pte::present | pte::writable | pte::granted)) != pte::present)
        return fail(XEN_EINVAL);
    constexpr uint64_t offset_of_entry = page_mask & ~uint64_t{7};
    return find_table_entry(*vcpu.partition,
                            HostPhysical((value & pte::address) | (address.raw() & offset_of_entry)));
}

}  // namespace

// Without the lock the tables may change, and stop being tables, under our eyes: each frame is known
// to be the partition's own before it is looked into, and then whatever it holds does no harm.
bool is_page_table_address(const Vcpu& vcpu, GuestVirtual address)
{
    if (!layout::guest_range_ok(address.raw(), 1))
        return false;
    const DomainId owner = vcpu.partition->id;
    Mfn table = vcpu.pv.kernel_table;
    uint64_t entry = 0;
    for (unsigned shift = 39; shift >= page_shift; shift -= 9) {
        const auto index = static_cast<unsigned>(address.raw() >> shift) & (entries_per_table - 1);
        entry = TableEntry(machine::frame_pointer<uint64_t>(table)[index]).load(std::memory_order_relaxed);
        if ((entry & (pte::present | pte::granted)) != pte::present)
            return false;
        table = pte::frame(entry);
        if (frame::find(table, owner) == nullptr)
            return false;
    }
    const uint64_t state = frame::entry_of(table).state.load(std::memory_order_relaxed);
    return (entry & pte::writable) == 0 && (state & frame::given) != 0 && (state & frame::validated) != 0
        && is_table(frame::type_of(state));
}

PageTableWriteOutcome emulate_page_table_write(Vcpu& vcpu, const PageTableWrite& write, PageTableWriteResult& result)
{
    Partition& partition = *vcpu.partition;
    if (!size_ok(write))
        return refuse(partition);
    WorkBudget budget;
    const LockGuard guard(partition.memory.lock);
    if (!finish_walk(partition, budget)) [[unlikely]]
        return Outcome::retry;
    const Result<EntryPlace> place = find_target(vcpu, write.address);
    if (!place.has_value()) [[unlikely]]
        return refuse(partition);

    const Field field = field_of(write);
    const uint64_t entry = TableEntry(*place->entry).load(std::memory_order_relaxed);
    const uint64_t old = field.get(entry);
    result = {old, new_value(write, old) & field.mask, success(write, old, field.mask)};
    if (write.operation == Operation::compare_exchange && !result.success)
        return Outcome::done;
    const EntryUpdate update{.value = field.set(entry, result.new_value), .has_expected = true, .expected = entry};
    const Result<> updated = update_entry(vcpu, *place, update, budget);
    if (updated.has_value()) [[likely]] {
        ++partition.memory.counters.writes_emulated;
        return Outcome::done;
    }
    // XEN_EAGAIN: a CPU set an accessed or dirty bit meanwhile. Nothing was changed.
    if (updated.error() == XEN_ERESTART || updated.error() == XEN_EAGAIN)
        return Outcome::retry;
    return refuse(partition);
}

}  // namespace bulkhead
