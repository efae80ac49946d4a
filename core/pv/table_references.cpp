// SPDX-License-Identifier: BSD-2-Clause
// See table_walk.hpp: references to tables, and what the entries above L1 may be.
#include "core/frame_references.hpp"
#include "core/pv/table_walk.hpp"
#include "machine/core_space.hpp"

namespace bulkhead {

TakenTable take_table(const Partition& partition, Mfn table, FrameType type)
{
    FrameEntry* entry = frame::find(table, partition.id);
    if (entry == nullptr)
        return {XEN_EINVAL, false};
    constexpr uint64_t looked_at = frame::given | frame::type_mask | frame::validated | frame::changing | frame::turning;
    const uint64_t valid = frame::given | frame::type_bits(type) | frame::validated;
    uint64_t state = entry->state.load(std::memory_order_relaxed);
    while ((state & looked_at) == valid && frame::count(state) != frame::count_mask) {
        if (entry->state.compare_exchange_weak(state, state + frame::one + frame::typed_one,
                                               std::memory_order_acquire, std::memory_order_relaxed))
            return {frame::ok, false};
    }
    const bool claimed = frame::take_typed_slowly(*entry, type, frame::changing) == frame::ok;
    return {claimed ? frame::ok : XEN_EINVAL, claimed};
}

bool put_table(Mfn table)
{
    FrameEntry& entry = frame::entry_of(table);
    uint64_t state = entry.state.load(std::memory_order_relaxed);
    for (;;) {
        const bool last = (state & frame::typed_mask) == frame::typed_one;
        const uint64_t next = last ? (state & ~frame::validated) | frame::changing
                                   : state - frame::one - frame::typed_one;
        if (entry.state.compare_exchange_weak(state, next, std::memory_order_release, std::memory_order_relaxed))
            return last;
    }
}

uint64_t core_slot_value(unsigned slot)
{
    const uint64_t value = machine::core_slots()[slot - layout::core_first_slot];
    return slot == layout::core_first_slot ? value : value & ~pte::user;
}

Errno admit_upper_value(uint64_t& value)
{
    if ((value & pte::large) != 0 || pte::frame(value).raw() >= machine::frame_limit)
        return XEN_EINVAL;
    value = (value & ~(pte::write_through | pte::cache_disable | pte::global | pte::foreign)) | pte::user;
    return frame::ok;
}

bool admit_linear(PvMemory& memory, uint64_t value)
{
    if (memory.linear_tables && (value & pte::writable) == 0)
        return true;
    ++memory.counters.linear_refused;
    return false;
}

}  // namespace bulkhead
