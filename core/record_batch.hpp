// SPDX-License-Identifier: BSD-2-Clause
// Lists of ABI records that a hypercall works through: read several at a time in one copy, and
// written back with their answers in another.
#pragma once

#include "core/hypercall.hpp"
#include "core/pv/work_budget.hpp"
#include "core/types.hpp"
#include "machine/memory.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace bulkhead {

template <class Record, uint32_t most>
class RecordBatch {
public:
    // Reads up to `left` (at least one) records. False: the first one cannot be read.
    [[nodiscard]] bool read(GuestVirtual list, uint32_t left)
    {
        list_ = list;
        count_ = std::min(left, most);
        if (machine::copy_from_guest(records_.data(), list, count_ * sizeof(Record))) [[likely]]
            return true;
        // The list may become unreadable within the batch: what is before that is worked on.
        count_ = 1;
        return machine::read_guest(records_[0], list);
    }
    // Writes all of them back. What a record's operation does not change is as it was read.
    [[nodiscard]] bool write_back() const
    {
        return machine::copy_to_guest(list_, records_.data(), count_ * sizeof(Record));
    }
    [[nodiscard]] uint32_t count() const { return count_; }
    [[nodiscard]] Record* begin() { return records_.data(); }
    [[nodiscard]] Record* end() { return records_.data() + count_; }

private:
    GuestVirtual list_;
    uint32_t count_ = 0;
    std::array<Record, most> records_;
};

// Arguments of the form (operation, list, count): `done` records are finished.
template <class Record>
void advance_list(HypercallArguments& arguments, uint32_t done)
{
    arguments.value[1] += uint64_t{done} * sizeof(Record);
    arguments.value[2] -= done;
}

// Works through such a list by `work`, batch by batch, as far as a share of work allows. Costs in about
// instructions, of a batch and of each record.
template <class Record, uint32_t most, class Work>
long work_through(HypercallArguments& arguments, int32_t cost_of_batch, int32_t cost_of_record, Work work)
{
    RecordBatch<Record, most> batch;
    WorkBudget budget(WorkBudget::share_without_lock);
    while (arguments.value[2] != 0) {
        if (budget.is_spent())
            return hypercall_continue;
        if (!batch.read(GuestVirtual(arguments.value[1]), static_cast<uint32_t>(arguments.value[2])))
            return negative(XEN_EFAULT);
        work(batch);
        budget.spend(cost_of_batch + static_cast<int32_t>(batch.count()) * cost_of_record);
        if (!batch.write_back())
            return negative(XEN_EFAULT);
        advance_list<Record>(arguments, batch.count());
    }
    return 0;
}

}  // namespace bulkhead
