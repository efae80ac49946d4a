// SPDX-License-Identifier: BSD-2-Clause
// References behind the entries of an L1 table: what a present entry needs before it is written, and
// what goes when it does. Inline, because every page that a guest maps comes through here.
// `memory.lock` held.
#pragma once

#include "core/devices/devices.hpp"
#include "core/frame_references.hpp"
#include "core/pv/descriptors.hpp"
#include "core/pv/page_table.hpp"
#include "machine/memory.hpp"
#include "platform/x86/layout.hpp"

namespace bulkhead {

// What no guest's L1 entry has. Memory types other than write-back are not offered for RAM: with them
// a guest could make the core, which reads through the cache, validate something else than the CPU
// walks. Global entries would survive the flushes that keep types apart.
inline constexpr uint64_t l1_removed =
    pte::uncached | pte::large | pte::global | pte::foreign;
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

// An entry of a grant holds nothing: its handle does (core/pv/grant_mapping.hpp). Nor does a device's.
inline void drop_l1_value(Partition& partition, uint64_t value)
{
    if ((value & pte::present) == 0)
        return;
    if ((value & pte::foreign) != 0) [[unlikely]] {
        partition.memory.counters.grants_overwritten += (value & pte::granted) != 0;
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
// the address of those, so that it lies beyond any memory; others are counted, and refused on such a CPU.
[[nodiscard]] inline Errno admit_absent(PvMemory& memory, uint64_t value)
{
    if (value == 0 || pte::frame(value).raw() >= frame::installed_end) [[likely]]
        return frame::ok;
    ++memory.counters.unsafe_absent;
    return memory.absent_is_safe ? XEN_EINVAL : frame::ok;
}

// --- Hot paths ------------------------------------------------------------------------------------

constexpr bool is_guest_address(uint64_t address)
{
    return address - layout::guest_low_end >= layout::core_end - layout::guest_low_end;
}

// The L1 entry for an address in the vCPU's kernel tables, or null. Their entries were admitted, so
// there is nothing to check on the way, unless a table maps itself.
[[nodiscard, gnu::always_inline]] inline uint64_t* l1_entry_at(const Vcpu& vcpu, uint64_t address)
{
    constexpr uint64_t offset_bits = page_mask & ~uint64_t{7};
    constexpr unsigned entry_shift = 3;
    if (!is_guest_address(address)) [[unlikely]]
        return nullptr;
    const bool linear = vcpu.partition->memory.linear_tables;
    uint64_t table = address_of(vcpu.pv.kernel_table).raw();
#pragma GCC unroll 3
    for (unsigned shift = 39; shift > page_shift; shift -= 9) {
        const uint64_t offset = (address >> (shift - entry_shift)) & offset_bits;
        const uint64_t entry = *machine::physical_pointer<uint64_t>(HostPhysical(table + offset));
        if ((entry & pte::present) == 0) [[unlikely]]
            return nullptr;
        table = entry & pte::address;
        // Then the walk may come to the core's slots.
        if (linear && frame::find(frame_of(HostPhysical(table)), vcpu.partition->id) == nullptr) [[unlikely]]
            return nullptr;
    }
    // Or it may end above L1.
    if (linear && frame_type(frame_of(HostPhysical(table))) != FrameType::l1) [[unlikely]]
        return nullptr;
    const uint64_t offset = (address >> (page_shift - entry_shift)) & offset_bits;
    return machine::physical_pointer<uint64_t>(HostPhysical(table + offset));
}

enum class L1Write : uint8_t { exchange, keep_accessed_dirty, if_equal };

// Writes an entry that CPUs may be walking, whose accessed and dirty bits change under our hands.
// False: it is not `old` any more (if_equal). `old` becomes what it was.
template <L1Write how>
[[nodiscard, gnu::always_inline]] inline bool put_in_entry(uint64_t* place, uint64_t value, uint64_t& old)
{
    TableEntry entry(*place);
    if constexpr (how == L1Write::if_equal)
        return entry.compare_exchange_strong(old, value, std::memory_order_acq_rel, std::memory_order_relaxed);
    if constexpr (how == L1Write::exchange) {
        old = entry.exchange(value, std::memory_order_acq_rel);
    } else {
        while (!entry.compare_exchange_weak(old, value | (old & (pte::accessed | pte::dirty)),
                                            std::memory_order_acq_rel, std::memory_order_relaxed)) {
        }
    }
    return true;
}

// Changes an entry of a valid L1 table: update_entry() for this level. `expected` is for if_equal.
template <L1Write how>
[[nodiscard, gnu::always_inline]] inline Errno write_l1_entry(Partition& partition, uint64_t* place, uint64_t value,
                                                              uint64_t expected = 0)
{
    constexpr uint64_t decides_reference = pte::address | pte::present | pte::writable;
    uint64_t old = how == L1Write::if_equal ? expected : TableEntry(*place).load(std::memory_order_relaxed);
    bool same_reference = false;
    if ((value & pte::present) != 0) {
        same_reference = ((old ^ value) & decides_reference) == 0;
        uint64_t mark = old & (pte::foreign | pte::uncached);   // the latter comes with the former only
        if (!same_reference) {
            mark = 0;
            if (const Errno error = take_l1_value(partition, value); error != frame::ok) [[unlikely]] {
                mark = device_entry(partition, value);
                if (mark == 0) {
                    ++partition.memory.counters.entries_refused;
                    return error;
                }
            }
        }
        value = admitted_l1(value) | mark;
    } else if (const Errno error = admit_absent(partition.memory, value); error != frame::ok) [[unlikely]] {
        ++partition.memory.counters.entries_refused;
        return error;
    }
    const bool written = put_in_entry<how>(place, value, old);
    if (!same_reference)
        drop_l1_value(partition, written ? old : value);
    return written ? frame::ok : XEN_EAGAIN;
}

}  // namespace bulkhead
