// SPDX-License-Identifier: BSD-2-Clause
// See page_table.hpp.
#include "core/pv/page_table.hpp"

#include "core/pv/l1_entries.hpp"
#include "core/pv/table_walk.hpp"
#include "machine/memory.hpp"

namespace bulkhead {

namespace {

constexpr int32_t cost_of_update = 150;

[[nodiscard]] bool write_upper(uint64_t* place, uint64_t value, const EntryUpdate& update, uint64_t& old)
{
    if (update.has_expected) {
        old = update.expected;
        return put_in_entry<L1Write::if_equal>(place, value, old);
    }
    if (update.keep_accessed_dirty)
        return put_in_entry<L1Write::keep_accessed_dirty>(place, value, old);
    return put_in_entry<L1Write::exchange>(place, value, old);
}

Errno update_l1(Partition& partition, const EntryPlace& place, const EntryUpdate& update)
{
    if (update.has_expected)
        return write_l1_entry<L1Write::if_equal>(partition, place.entry, update.value, update.expected);
    if (update.keep_accessed_dirty)
        return write_l1_entry<L1Write::keep_accessed_dirty>(partition, place.entry, update.value);
    return write_l1_entry<L1Write::exchange>(partition, place.entry, update.value);
}

// An entry above L1 that will map a table: takes its reference.
Errno take_upper_value(Vcpu& vcpu, const EntryPlace& place, uint64_t value, WorkBudget& budget)
{
    const Mfn child = pte::frame(value);
    if (child == place.table)
        return admit_linear(vcpu.partition->memory, value) ? frame::ok : XEN_EINVAL;
    const Result<> taken = acquire_table(vcpu, child, below(place.type), budget);
    return taken.has_value() ? frame::ok : taken.error();
}

void drop_upper_value(Partition& partition, const EntryPlace& place, uint64_t value, WorkBudget& budget)
{
    if ((value & pte::present) != 0 && pte::frame(value) != place.table)
        release_table(partition, pte::frame(value), below(place.type), budget);
}

Errno update_upper(Vcpu& vcpu, const EntryPlace& place, const EntryUpdate& update, WorkBudget& budget)
{
    if (is_core_slot(place.type, place.index))
        return XEN_EINVAL;
    constexpr uint64_t decides_reference = pte::address | pte::present;
    Partition& partition = *vcpu.partition;
    uint64_t old = TableEntry(*place.entry).load(std::memory_order_relaxed);
    uint64_t value = update.value;
    bool same_reference = false;
    if ((value & pte::present) != 0) {
        if (const Errno error = admit_upper_value(value); error != frame::ok)
            return error;
        // A table's entry for itself holds no reference, but becomes writable only here.
        same_reference = ((old ^ value) & decides_reference) == 0 && pte::frame(value) != place.table;
        if (!same_reference) {
            if (const Errno error = take_upper_value(vcpu, place, value, budget); error != frame::ok)
                return error;
        }
    } else if (const Errno error = admit_absent(partition.memory, value); error != frame::ok) {
        return error;
    }
    const bool written = write_upper(place.entry, value, update, old);
    // Before anything is let go: copies of the table are renewed before their CPU's next guest instruction.
    if (place.type == FrameType::l4)
        machine::renew_views(partition);
    if (!same_reference)
        drop_upper_value(partition, place, written ? old : value, budget);
    return written ? frame::ok : XEN_EAGAIN;
}

// What a walk left for this vCPU, if it is about this table. XEN_EAGAIN: nothing is.
Errno take_parked(Vcpu& vcpu, Mfn table, FrameType type)
{
    ParkedTable& parked = vcpu.partition->memory.parked[vcpu.number.raw()];
    if (parked.type != type || parked.table != table)
        return XEN_EAGAIN;
    const Errno error = parked.error;
    parked = {};
    return error;
}

// The guest went on to something else. False: there was a reference, which is being released.
bool discard_parked(Vcpu& vcpu, WorkBudget& budget)
{
    const ParkedTable parked = vcpu.partition->memory.parked[vcpu.number.raw()];
    vcpu.partition->memory.parked[vcpu.number.raw()] = {};
    if (parked.type == FrameType::none || parked.error != frame::ok)
        return true;
    release_table(*vcpu.partition, parked.table, parked.type, budget);
    return false;
}

}  // namespace

Result<EntryPlace> find_l1_entry(const Vcpu& vcpu, GuestVirtual address)
{
    uint64_t* entry = l1_entry_at(vcpu, address.raw());
    if (entry == nullptr) [[unlikely]]
        return fail(XEN_EINVAL);
    const HostPhysical place = machine::physical_of(entry);
    return EntryPlace{entry, frame_of(place), FrameType::l1, static_cast<uint16_t>((place.raw() & page_mask) / 8)};
}

Result<EntryPlace> find_table_entry(const Partition& partition, HostPhysical address)
{
    const Mfn table = frame_of(address);
    const FrameEntry* entry = frame::find(table, partition.id);
    if (entry == nullptr || (address.raw() & 7) != 0) [[unlikely]]
        return fail(XEN_EINVAL);
    const uint64_t state = entry->state.load(std::memory_order_relaxed);
    const FrameType type = frame::type_of(state);
    if ((state & (frame::given | frame::validated)) != (frame::given | frame::validated) || !is_table(type)) [[unlikely]]
        return fail(XEN_EINVAL);
    const auto index = static_cast<uint16_t>((address.raw() & page_mask) / 8);
    return EntryPlace{machine::frame_pointer<uint64_t>(table) + index, table, type, index};
}

Result<> update_entry(Vcpu& vcpu, const EntryPlace& place, const EntryUpdate& update, WorkBudget& budget)
{
    budget.spend(cost_of_update);
    if (place.type == FrameType::l1)
        return frame::result_of(update_l1(*vcpu.partition, place, update));
    const Errno error = update_upper(vcpu, place, update, budget);
    if (error != frame::ok && error != XEN_EAGAIN && error != XEN_ERESTART) [[unlikely]]
        ++vcpu.partition->memory.counters.entries_refused;
    return frame::result_of(error);
}

Result<> acquire_table(Vcpu& vcpu, Mfn table, FrameType type, WorkBudget& budget)
{
    Partition& partition = *vcpu.partition;
    if (const Errno parked = take_parked(vcpu, table, type); parked != XEN_EAGAIN)
        return frame::result_of(parked);
    // The release may reach what the caller looked up before.
    if (!discard_parked(vcpu, budget))
        return fail(XEN_ERESTART);
    const TakenTable taken = take_table(partition, table, type);
    if (taken.error != frame::ok || !taken.needs_validation)
        return frame::result_of(taken.error);
    start_validation(partition.memory, table, type, vcpu.number);
    if (!run_walk(partition, budget))
        return fail(XEN_ERESTART);
    return frame::result_of(take_parked(vcpu, table, type));
}

void release_table(Partition& partition, Mfn table, FrameType type, WorkBudget& budget)
{
    if (!put_table(table))
        return;
    start_release(partition.memory, table, type);
    (void)run_walk(partition, budget);
}

Result<> reference_top_level(Vcpu& caller, Mfn table)
{
    WorkBudget budget;
    const LockGuard guard(caller.partition->memory.lock);
    if (!finish_walk(*caller.partition, budget))
        return fail(XEN_ERESTART);
    return acquire_table(caller, table, FrameType::l4, budget);
}

Result<> drop_top_level(Vcpu& caller, Mfn table)
{
    WorkBudget budget;
    const LockGuard guard(caller.partition->memory.lock);
    if (!finish_walk(*caller.partition, budget))
        return fail(XEN_ERESTART);
    release_table(*caller.partition, table, FrameType::l4, budget);
    return {};
}

}  // namespace bulkhead
