// SPDX-License-Identifier: BSD-2-Clause
// A partition's own table: its frames and their number, and exchanging two of its entries. Versions
// are in grant_version.cpp.
#include "core/grant_operations.hpp"
#include "core/grant_own_table.hpp"
#include "core/grant_pin.hpp"
#include "core/record_batch.hpp"

namespace bulkhead {

namespace {

constexpr uint32_t swaps_at_once = 16;
constexpr int32_t cost_of_a_swap = 80;

void grow_table(GrantTable& table, uint32_t frames)
{
    const LockGuard guard(table.lock);
    if (frames <= table.frames)
        return;
    set_table_size(table, frames);
}

}  // namespace

bool grow_grant_table(Partition& self, uint64_t last_frame)
{
    if (last_frame >= self.grants.max_frames)
        return false;
    grow_table(self.grants, static_cast<uint32_t>(last_frame) + 1);
    return true;
}

namespace {

GrantStatus setup(Partition& self, const gnttab_setup_table_t& record)
{
    if (const GrantStatus status = self_status(self, record.dom); status != GNTST_okay)
        return status;
    GrantTable& table = self.grants;
    if (record.nr_frames > table.max_frames)
        return GNTST_general_error;
    grow_table(table, record.nr_frames);
    const GuestVirtual list(reinterpret_cast<uint64_t>(record.frame_list.p));
    return write_frames(table.first_frame, list, record.nr_frames) ? GNTST_okay : GNTST_bad_virt_addr;
}

// Reads the only record, lets `operation` answer in it, and writes it back.
template <class Record, class Operation>
long run(const HypercallArguments& arguments, Operation operation)
{
    if (arguments.value[2] != 1)
        return negative(XEN_EINVAL);
    const GuestVirtual argument(arguments.value[1]);
    Record record;
    if (!machine::read_guest(record, argument))
        return negative(XEN_EFAULT);
    record.status = operation(record);
    return machine::write_guest(argument, record) ? 0 : negative(XEN_EFAULT);
}

template <class Word>
void swap_words(Word& one, Word& other)
{
    const auto kept = one.load(std::memory_order_relaxed);
    one.store(other.load(std::memory_order_relaxed), std::memory_order_relaxed);
    other.store(kept, std::memory_order_release);
}

// Nobody uses them, so their status is clear. Headers last: they are what others look at first.
void swap_v2(const GrantTable& table, uint64_t first, uint64_t second)
{
    swap_words(entry_v2(table, first).part, entry_v2(table, second).part);
    swap_words(entry_v2(table, first).frame, entry_v2(table, second).frame);
    swap_words(entry_v2(table, first).header, entry_v2(table, second).header);
}

GrantStatus swap(GrantTable& table, uint32_t a, uint32_t b)
{
    const LockGuard guard(table.lock);
    const uint32_t end = valid_references(table);
    if (a >= end || b >= end)
        return GNTST_bad_gntref;
    if (a == b)
        return GNTST_okay;
    const uint64_t first = machine::nospec_index(a, end);
    const uint64_t second = machine::nospec_index(b, end);
    if (table.uses[first].pins() != 0 || table.uses[second].pins() != 0)
        return GNTST_eagain;
    if (table.version == 1)
        swap_words(table.entries[first], table.entries[second]);
    else
        swap_v2(table, first, second);
    return GNTST_okay;
}

}  // namespace

long setup_grant_table(Vcpu& vcpu, HypercallArguments& arguments)
{
    Partition& self = *vcpu.partition;
    return run<gnttab_setup_table_t>(arguments, [&](const auto& record) { return setup(self, record); });
}

long query_grant_size(Vcpu& vcpu, HypercallArguments& arguments)
{
    Partition& self = *vcpu.partition;
    return run<gnttab_query_size_t>(arguments, [&](auto& record) {
        const GrantStatus status = self_status(self, record.dom);
        if (status == GNTST_okay) {
            record.nr_frames = self.grants.frames;
            record.max_nr_frames = self.grants.max_frames;
        }
        return status;
    });
}

long swap_grants(Vcpu& vcpu, HypercallArguments& arguments)
{
    GrantTable& table = vcpu.partition->grants;
    return work_through<gnttab_swap_grant_ref_t, swaps_at_once>(arguments, 0, cost_of_a_swap, [&](auto& batch) {
        for (gnttab_swap_grant_ref_t& record : batch)
            record.status = swap(table, record.ref_a, record.ref_b);
    });
}

}  // namespace bulkhead
