// SPDX-License-Identifier: BSD-2-Clause
// See table_walk.hpp.
#include "core/pv/table_walk.hpp"

#include "core/panic.hpp"
#include "core/pv/l1_entries.hpp"
#include "machine/core_space.hpp"
#include "machine/memory.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

using Level = TableWalk::Level;

// Entries between two looks at the budget, of L1 without those in groups that are empty, and about what they cost.
constexpr unsigned entries_at_once = 32;
constexpr unsigned group = 8;
constexpr int32_t cost_of_step = 100;
constexpr int32_t cost_of_reference = 180;     // of a frame that changes its type
constexpr int32_t cost_of_release = 80;
constexpr int32_t cost_of_absent = 18;
constexpr int32_t cost_of_passing = 2;         // an entry of an L1 table, whatever it is

uint64_t* entries_of(const Level& level) { return machine::frame_pointer<uint64_t>(level.table); }

void push(TableWalk& walk, Mfn table, FrameType type, unsigned index)
{
    ASSERT(walk.depth < walk.levels.size());
    walk.levels[walk.depth++] = {table, type, static_cast<uint16_t>(index)};
}

// The walk's end: its result waits for the vCPU that asked.
void end_walk(PvMemory& memory)
{
    TableWalk& walk = memory.walk;
    walk.direction = TableWalk::Direction::none;
    if (walk.for_vcpu)
        memory.parked[walk.requester.raw()] = {walk.levels[0].table, walk.levels[0].type, walk.error};
}

// Most tables are mostly empty: entries are looked at in groups first.
[[gnu::always_inline]] inline bool is_empty_group(const uint64_t* entries)
{
    uint64_t all = 0;
#pragma GCC unroll 8
    for (unsigned i = 0; i < group; ++i)
        all |= entries[i];
    return all == 0;
}

// --- Validation ---------------------------------------------------------------------------------

void turn_back(TableWalk& walk, Errno error)
{
    walk.error = error;
    walk.direction = TableWalk::Direction::release;
}

void fill_core_slots(uint64_t* table)
{
    for (unsigned slot = layout::core_first_slot; slot < layout::core_end_slot; ++slot)
        table[slot] = core_slot_value(slot);
}

void complete_level(PvMemory& memory)
{
    TableWalk& walk = memory.walk;
    const Level& level = walk.levels[walk.depth - 1];
    if (level.type == FrameType::l4)
        fill_core_slots(entries_of(level));
    // Release: whoever sees the table valid sees its entries as they were admitted.
    frame::entry_of(level.table).state.fetch_xor(frame::changing | frame::validated, std::memory_order_release);
    if (level.type == FrameType::l4)
        memory.top_level_changes.fetch_add(1, std::memory_order_release);      // of none that is in use
    if (--walk.depth == 0)
        return end_walk(memory);
    ++walk.levels[walk.depth - 1].index;
}

// Some entries of an L1 table.
void validate_l1(Partition& partition, Level& level, WorkBudget& budget)
{
    uint64_t* table = entries_of(level);
    unsigned at = level.index;
    unsigned left = entries_at_once;
    int32_t references = 0;
    Errno error = frame::ok;
    while (at < entries_per_table && left != 0) {
        if (at % group == 0 && is_empty_group(table + at)) {
            at += group;
            continue;
        }
        --left;
        const uint64_t value = table[at];
        if ((value & pte::present) != 0) {
            uint64_t admitted = admitted_l1(value);
            error = take_l1_value(partition, value);
            if (error != frame::ok) [[unlikely]] {
                admitted = device_entry(partition, value);
                if (admitted == 0)
                    break;
                error = frame::ok;
            }
            ++references;
            if (value != admitted)
                table[at] = admitted;
        } else {
            error = admit_absent(partition.memory, value);
            if (error != frame::ok)
                break;
            budget.spend(cost_of_absent);
        }
        ++at;
    }
    const auto passed = static_cast<int32_t>(at - level.index);
    level.index = static_cast<uint16_t>(at);
    budget.spend(cost_of_step + passed * cost_of_passing + references * cost_of_reference);
    if (error != frame::ok)
        turn_back(partition.memory.walk, error);
    else if (at == entries_per_table)
        complete_level(partition.memory);
}

// One present entry of a table above L1. False: the walk goes on elsewhere (deeper, or back).
bool validate_upper_entry(Partition& partition, Level& level, uint64_t& entry)
{
    TableWalk& walk = partition.memory.walk;
    uint64_t value = entry;
    if (const Errno error = admit_upper_value(value); error != frame::ok) {
        turn_back(walk, error);
        return false;
    }
    const Mfn child = pte::frame(value);
    if (child == level.table) {
        if (!admit_linear(partition.memory, value)) {
            turn_back(walk, XEN_EINVAL);
            return false;
        }
        entry = value;
        return true;
    }
    const TakenTable taken = take_table(partition, child, below(level.type));
    if (taken.error != frame::ok) {
        turn_back(walk, taken.error);
        return false;
    }
    entry = value;
    if (taken.needs_validation)
        push(walk, child, below(level.type), 0);
    return !taken.needs_validation;
}

void validate_upper(Partition& partition, Level& level, WorkBudget& budget)
{
    uint64_t* table = entries_of(level);
    budget.spend(cost_of_step);
    for (unsigned steps = 0; steps < entries_at_once && level.index < entries_per_table; ++steps) {
        if (is_core_slot(level.type, level.index)) {
            level.index = layout::core_end_slot;
            continue;
        }
        uint64_t& entry = table[level.index];
        if ((entry & pte::present) == 0) {
            budget.spend(cost_of_absent);
            if (const Errno error = admit_absent(partition.memory, entry); error != frame::ok)
                return turn_back(partition.memory.walk, error);
        } else {
            budget.spend(cost_of_reference);
            if (!validate_upper_entry(partition, level, entry))
                return;
        }
        ++level.index;
    }
    if (level.index == entries_per_table)
        complete_level(partition.memory);
}

// --- Release --------------------------------------------------------------------------------------

// All its references are gone; so is the one that made it a table.
void finish_release(PvMemory& memory)
{
    TableWalk& walk = memory.walk;
    const Level& level = walk.levels[walk.depth - 1];
    // The guest may have this page writable next: nothing of the core's stays in it.
    if (level.type == FrameType::l4)
        std::fill_n(entries_of(level) + layout::core_first_slot, machine::core_slot_count, 0);
    FrameEntry& entry = frame::entry_of(level.table);
    frame::put_last_typed(entry, entry.state.load(std::memory_order_relaxed), frame::changing);
    if (--walk.depth == 0)
        end_walk(memory);
}

void release_l1(Partition& partition, Level& level, WorkBudget& budget)
{
    const uint64_t* table = entries_of(level);
    unsigned at = level.index;
    unsigned left = entries_at_once;
    int32_t cost = cost_of_step;
    while (at > 0 && left != 0) {
        if (at % group == 0 && is_empty_group(table + at - group)) {
            at -= group;
            continue;
        }
        --left;
        const uint64_t value = table[--at];
        cost += (value & pte::present) != 0 ? cost_of_release : cost_of_absent;
        drop_l1_value(partition, value);
    }
    cost += static_cast<int32_t>(level.index - at) * cost_of_passing;
    level.index = static_cast<uint16_t>(at);
    budget.spend(cost);
    if (at == 0)
        finish_release(partition.memory);
}

void release_upper(Partition& partition, Level& level, WorkBudget& budget)
{
    const uint64_t* table = entries_of(level);
    budget.spend(cost_of_step);
    for (unsigned steps = 0; steps < entries_at_once && level.index > 0; ++steps) {
        --level.index;
        const uint64_t value = table[level.index];
        if ((value & pte::present) == 0 || is_core_slot(level.type, level.index)) {
            budget.spend(cost_of_absent);
            continue;
        }
        const Mfn child = pte::frame(value);
        if (child == level.table)
            continue;
        budget.spend(cost_of_release);
        if (put_table(child)) {
            push(partition.memory.walk, child, below(level.type), entries_per_table);
            return;
        }
    }
    if (level.index == 0)
        finish_release(partition.memory);
}

void step(Partition& partition, WorkBudget& budget)
{
    TableWalk& walk = partition.memory.walk;
    Level& level = walk.levels[walk.depth - 1];
    const bool is_l1 = level.type == FrameType::l1;
    if (walk.direction == TableWalk::Direction::validate)
        is_l1 ? validate_l1(partition, level, budget) : validate_upper(partition, level, budget);
    else
        is_l1 ? release_l1(partition, level, budget) : release_upper(partition, level, budget);
}

}  // namespace

void start_validation(PvMemory& memory, Mfn table, FrameType type, VcpuNumber requester)
{
    TableWalk& walk = memory.walk;
    ASSERT(walk.direction == TableWalk::Direction::none);
    walk = {TableWalk::Direction::validate, 0, true, requester, frame::ok, {}};
    push(walk, table, type, 0);
}

void start_release(PvMemory& memory, Mfn table, FrameType type)
{
    TableWalk& walk = memory.walk;
    ASSERT(walk.direction == TableWalk::Direction::none);
    walk = {TableWalk::Direction::release, 0, false, VcpuNumber(0), frame::ok, {}};
    push(walk, table, type, entries_per_table);
}

bool run_walk(Partition& partition, WorkBudget& budget)
{
    TableWalk& walk = partition.memory.walk;
    while (walk.direction != TableWalk::Direction::none) {
        if (budget.is_spent()) {
            ++partition.memory.counters.walks_continued;
            return false;
        }
        step(partition, budget);
    }
    return true;
}

}  // namespace bulkhead
