// SPDX-License-Identifier: BSD-2-Clause
// The dispatcher's inside, for those who make hypercalls on a guest's behalf many at a time.
#pragma once

#include "core/checked.hpp"
#include "core/hypercall.hpp"
#include "core/hypercall_counters.hpp"
#include "machine/nospec.hpp"

#include <array>

namespace bulkhead {

// Every number up to hypercall_out_of_range has a handler, if only one that refuses.
extern const std::array<HypercallHandler, hypercall_numbers> hypercall_handlers;

// Numbers beyond the table: refused and counted.
long refuse_out_of_range(Vcpu& vcpu, uint64_t number, const HypercallArguments& arguments);
// After a handler returned a negative number: counts refusals. Returns `result`.
long note_failure(Vcpu& vcpu, uint64_t index, const HypercallArguments& arguments, long result);

// With an index that is bounded. Counts the call.
[[gnu::always_inline]] inline long call_handler(Vcpu& vcpu, uint64_t index, HypercallArguments& arguments)
{
    ++vcpu.hypercalls.calls[index];
    const long result = hypercall_handlers[index](vcpu, arguments);
    operation_done(vcpu, checked::Operation::hypercall, index);
    return result;
}

// A few instructions beside the handler's own. No trace record.
[[gnu::always_inline]] inline long run_hypercall(Vcpu& vcpu, uint64_t number, HypercallArguments& arguments)
{
    if (number >= hypercall_out_of_range) [[unlikely]]
        return refuse_out_of_range(vcpu, number, arguments);
    const uint64_t index = machine::nospec_index(number, hypercall_out_of_range);
    const long result = call_handler(vcpu, index, arguments);
    if (result < 0) [[unlikely]]
        return note_failure(vcpu, index, arguments, result);
    return result;
}

}  // namespace bulkhead
