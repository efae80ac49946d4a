// SPDX-License-Identifier: BSD-2-Clause
// The hot half of core/frames.cpp: references to a frame whose entry is at hand, as one
// compare-exchange. For core/frames*.cpp and core/pv/ only; others use core/frames.hpp.
#pragma once

#include "core/frames.hpp"
#include "machine/frame_tables.hpp"

namespace bulkhead::frame {

inline constexpr Errno ok{};
[[nodiscard]] inline Result<> result_of(Errno error)
{
    if (error != ok) [[unlikely]]
        return fail(error);
    return {};
}

// Past the last frame of any partition. Constant after start-up.
extern uint64_t installed_end;

// The entry of any frame number below machine::frame_limit; its owner tells whether it is anybody's.
[[nodiscard]] inline FrameEntry& entry_of(Mfn number) { return machine::frame_entries()[number.raw()]; }

// Null: no frame of that owner. Domain 0 owns, beside what is nobody's, the memory that partitions share.
[[nodiscard]] inline FrameEntry* find(Mfn number, DomainId owner)
{
    if (number.raw() >= machine::frame_limit) [[unlikely]]
        return nullptr;
    FrameEntry& entry = entry_of(number);
    return entry.owner() == owner ? &entry : nullptr;
}

// Takes a typed reference that needs more than the count: other type before, or an entry that is
// turning. With `changing` the entry comes back with that flag and one typed reference.
Errno take_typed_slowly(FrameEntry& entry, FrameType type, uint64_t flags);
// Puts the last typed reference: stamps the entry. `flags` are cleared with it.
void put_last_typed(FrameEntry& entry, uint64_t state, uint64_t flags);

[[nodiscard]] inline Errno take(FrameEntry& entry)
{
    uint64_t state = entry.state.load(std::memory_order_relaxed);
    do {
        if ((state & given) == 0) [[unlikely]]
            return XEN_EINVAL;
        if (count(state) == count_mask) [[unlikely]]
            return XEN_ERANGE;
    } while (!entry.state.compare_exchange_weak(state, state + one, std::memory_order_acquire,
                                                std::memory_order_relaxed));
    return ok;
}

// Returns the state before.
inline uint64_t put(FrameEntry& entry) { return entry.state.fetch_sub(one, std::memory_order_release); }

[[nodiscard]] inline Errno take_writable(FrameEntry& entry)
{
    constexpr uint64_t wanted = given | type_bits(FrameType::writable);
    uint64_t state = entry.state.load(std::memory_order_relaxed);
    do {
        if ((state & (given | type_mask | turning)) != wanted) [[unlikely]]
            return take_typed_slowly(entry, FrameType::writable, 0);
        if (count(state) == count_mask) [[unlikely]]
            return XEN_ERANGE;
    } while (!entry.state.compare_exchange_weak(state, state + one + typed_one, std::memory_order_acquire,
                                                std::memory_order_relaxed));
    return ok;
}

inline void put_writable(FrameEntry& entry)
{
    uint64_t state = entry.state.load(std::memory_order_relaxed);
    do {
        if ((state & typed_mask) == typed_one)
            return put_last_typed(entry, state, 0);
    } while (!entry.state.compare_exchange_weak(state, state - one - typed_one, std::memory_order_release,
                                                std::memory_order_relaxed));
}

}  // namespace bulkhead::frame
