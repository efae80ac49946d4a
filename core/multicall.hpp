// SPDX-License-Identifier: BSD-2-Clause
// A list of hypercalls in one, for both kinds of partition. Source: xen/include/public/xen.h,
// struct multicall_entry.
#pragma once

#include "core/cpu.hpp"
#include "core/hypercall.hpp"
#include "core/hypercall_table.hpp"
#include "core/trace.hpp"
#include "machine/clock.hpp"
#include "machine/guest_inline.hpp"
#include "machine/memory.hpp"
#include "machine/this_cpu.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

extern "C" {
#include <xen/xen.h>
}

namespace bulkhead::multicall {

// multicall_entry, with its arguments as a handler takes them.
struct Entry {
    uint64_t number;
    uint64_t result;
    HypercallArguments arguments;
};
static_assert(sizeof(Entry) == sizeof(multicall_entry_t));
static_assert(offsetof(Entry, result) == offsetof(multicall_entry_t, result));
static_assert(offsetof(Entry, arguments) == offsetof(multicall_entry_t, args));

// Read together, so that a copy's fixed cost is shared. Each entry is read once, and what is checked is
// what was read. An entry that an earlier one of the same batch writes to is executed as it was: the ABI
// promises neither, and stock kernels fill their lists before the call.
inline constexpr uint32_t batch = 16;
// After so many ticks the rest waits for another turn. One entry may take as long again.
inline constexpr uint32_t share_ticks = 15'000;

using Batch = std::array<Entry, batch>;

// The number of entries read; 0: the list cannot be read there.
[[nodiscard]] inline uint32_t read_entries(Batch& entries, GuestVirtual list, uint32_t left)
{
    uint32_t count = std::min(left, batch);
    if (!machine::copy_from_guest(entries.data(), list, count * sizeof(Entry))) [[unlikely]] {
        // The list may end within the batch, or become unreadable: what is before that is executed.
        if (!machine::read_guest(entries[0], list))
            return 0;
        count = 1;
    }
    if (trace_enabled.load(std::memory_order_relaxed)) [[unlikely]] {
        for (uint32_t i = 0; i < count; ++i)
            trace_record(TraceEvent::hypercall, entries[i].number, entries[i].arguments.value[0]);
    }
    return count;
}

// The guest executes the hypercall again, with what is left.
inline long continue_at(HypercallArguments& arguments, GuestVirtual list, uint32_t left)
{
    arguments.value[0] = list.raw();
    arguments.value[1] = left;
    return hypercall_continue;
}

// An entry that is not finished keeps its changed arguments in the guest's list.
inline long continue_within(HypercallArguments& arguments, GuestVirtual list, uint32_t left, const Entry& entry)
{
    if (!machine::copy_to_guest(list + offsetof(Entry, arguments), &entry.arguments, sizeof(entry.arguments)))
        return negative(XEN_EFAULT);
    return continue_at(arguments, list, left);
}

// `run` carries out one call of the list: long(Vcpu&, uint64_t number, HypercallArguments&).
template <class Run>
[[gnu::always_inline]] inline long carry_out(Vcpu& vcpu, HypercallArguments& arguments, Run run)
{
    GuestVirtual list(arguments.value[0]);
    uint32_t left = static_cast<uint32_t>(arguments.value[1]);
    const Cpu& cpu = this_cpu();
    const auto start = static_cast<uint32_t>(machine::read_tsc().raw());
    Batch entries;

    while (left != 0) {
        const uint32_t count = read_entries(entries, list, left);
        if (count == 0) [[unlikely]]
            return negative(XEN_EFAULT);
        left -= count;
        const Entry* const end = &entries[0] + count;
        for (Entry* entry = &entries[0]; entry != end; ++entry, list += sizeof(Entry)) {
            long result = negative(XEN_EINVAL);     // a multicall in a multicall
            if (entry->number != __HYPERVISOR_multicall) [[likely]]
                result = run(vcpu, entry->number, entry->arguments);
            const auto rest = [&] { return left + static_cast<uint32_t>(end - entry); };
            if (result == hypercall_continue) [[unlikely]]
                return continue_within(arguments, list, rest(), *entry);
            const GuestVirtual result_place = list + offsetof(Entry, result);
            if (!machine::store_checked_guest_u64(result_place, static_cast<uint64_t>(result))) [[unlikely]]
                return negative(XEN_EFAULT);
            // The low half of the clock suffices for differences.
            const uint32_t elapsed = static_cast<uint32_t>(machine::read_tsc().raw()) - start;
            const bool others_wait = cpu.work.load(std::memory_order_relaxed) != 0;
            if ((elapsed > share_ticks || others_wait) && rest() > 1) [[unlikely]]
                return continue_at(arguments, list + sizeof(Entry), rest() - 1);
        }
    }
    return 0;
}

}  // namespace bulkhead::multicall
