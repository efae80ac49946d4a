// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/copies.hpp"

#include <bulkhead/traps.hpp>

namespace bulkhead::net {

namespace {

// Where bytes go that are read only to see whether they can be.
alignas(64) std::byte trial[64];

bool can_be_read(const gnttab_copy_t& record)
{
    gnttab_copy_t probe = record;
    probe.dest = own_side(trial);
    probe.len = 1;
    probe.flags = record.flags & GNTCOPY_source_gref;
    return copy_grants({&probe, 1}).has_value() && probe.status == GNTST_okay;
}

}  // namespace

void Copies::carry_out()
{
    const size_t count = count_;
    count_ = 0;
    if (const auto done = copy_grants({records_.data(), count}); !done)
        crash("copies between partitions: %s", name_of(done.error()));
    for (size_t i = 0; i < count; ++i) {
        if (records_[i].status != GNTST_okay) [[unlikely]]
            blame(records_[i], who_[i]);
    }
}

// The status does not say of which side it speaks.
void Copies::blame(const gnttab_copy_t& record, const Who& who)
{
    if (who.target_failed != nullptr && can_be_read(record))
        *who.target_failed = true;
    else
        who.frame->failed = true;
}

}  // namespace bulkhead::net
