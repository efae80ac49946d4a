// SPDX-License-Identifier: BSD-2-Clause
// References behind the entries of an L1 table: what a present entry needs before it is written, and
// what goes when it does. Inline, because every page that a guest maps comes through here.
// `memory.lock` held.
#pragma once

#include "core/frame_references.hpp"
#include "core/pv/descriptors.hpp"
#include "core/pv/page_table.hpp"

namespace bulkhead {

// What no guest's L1 entry has. Memory types other than write-back are not offered for RAM: with them
// a guest could make the core, which reads through the cache, validate something else than the CPU
// walks. Global entries would survive the flushes that keep types apart.
inline constexpr uint64_t l1_removed =
    pte::write_through | pte::cache_disable | pte::large | pte::global | pte::granted;
// The core runs guests' kernels in ring 3, so every entry is a user one.
constexpr uint64_t admitted_l1(uint64_t value) { return (value & ~l1_removed) | pte::user; }

// Frame number of an entry with all address bits set; Xen's way to say "no frame".
inline constexpr Mfn no_frame = pte::frame(pte::address);

// Errors of Xen's for the same: EPERM for what is no memory, EBUSY for a frame that it may not have.
[[nodiscard]] inline Errno take_l1_value(const Partition& partition, uint64_t value)
{
    const Mfn number = pte::frame(value);
    if (number.raw() >= machine::frame_limit) [[unlikely]]
        return number == no_frame ? XEN_EINVAL : XEN_EPERM;
    FrameEntry& entry = frame::entry_of(number);
    if (entry.owner() != partition.id) [[unlikely]]
        return XEN_EBUSY;
    const Errno error = (value & pte::writable) != 0 ? frame::take_writable(entry) : frame::take(entry);
    return error == XEN_EINVAL ? XEN_EBUSY : error;
}

// An entry of a grant holds nothing: its handle does (core/pv/grant_mapping.hpp).
inline void drop_l1_value(Partition& partition, uint64_t value)
{
    if ((value & pte::present) == 0)
        return;
    if ((value & pte::granted) != 0) [[unlikely]] {
        ++partition.memory.counters.grants_overwritten;
        return;
    }
    FrameEntry& entry = frame::entry_of(pte::frame(value));
    if ((value & pte::writable) != 0)
        return frame::put_writable(entry);
    // A guest that takes down its own mapping of an LDT page expects to be able to write to it next.
    const uint64_t before = frame::put(entry);
    if ((before & frame::type_mask) == frame::type_bits(FrameType::descriptors) && frame::typed_count(before) != 0)
        [[unlikely]]
        drop_ldt_pages(partition);
}

// A CPU with the L1TF fault may speculate through an entry that is not present. Stock Linux inverts
// the address of those, so that it lies beyond any memory; others are counted, not refused.
inline void note_absent_value(PvMemory& memory, uint64_t value)
{
    if (value != 0 && pte::frame(value).raw() < frame::installed_end) [[unlikely]]
        ++memory.counters.unsafe_absent;
}

}  // namespace bulkhead
