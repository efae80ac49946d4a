// SPDX-License-Identifier: BSD-2-Clause
// Page tables that a guest writes and the core admits: bits of an entry, the walk from an address to
// its entry, and the one way in which an entry of a valid table changes.
//
// Everything here that takes a Partition needs its `memory.lock`.
#pragma once

#include "core/frames.hpp"
#include "core/partition.hpp"
#include "core/pv/work_budget.hpp"
#include "core/result.hpp"
#include "core/types.hpp"

#include <atomic>
#include <cstdint>

namespace bulkhead {

inline constexpr unsigned entries_per_table = 512;

// Source: Intel SDM vol 3, "4-Level Paging", format of entries.
namespace pte {
inline constexpr uint64_t present = 1u << 0;
inline constexpr uint64_t writable = 1u << 1;
inline constexpr uint64_t user = 1u << 2;
inline constexpr uint64_t write_through = 1u << 3;
inline constexpr uint64_t cache_disable = 1u << 4;
inline constexpr uint64_t accessed = 1u << 5;
inline constexpr uint64_t dirty = 1u << 6;
inline constexpr uint64_t large = 1u << 7;              // PAT in level 1
inline constexpr uint64_t global = 1u << 8;
inline constexpr uint64_t address = 0x000F'FFFF'FFFF'F000;
inline constexpr uint64_t available = 7u << 9;          // to the guest
// Ours, in bits that the CPU ignores: the frame is a device's, or another partition's, mapped through a
// grant. Neither holds a reference.
inline constexpr uint64_t device = uint64_t{1} << 61;
inline constexpr uint64_t granted = uint64_t{1} << 62;
inline constexpr uint64_t foreign = device | granted;
inline constexpr uint64_t uncached = write_through | cache_disable;
inline constexpr uint64_t no_execute = uint64_t{1} << 63;

constexpr Mfn frame(uint64_t entry) { return Mfn((entry & address) >> page_shift); }
constexpr uint64_t make(Mfn frame, uint64_t bits) { return (frame.raw() << page_shift) | bits; }
}  // namespace pte

constexpr FrameType below(FrameType table) { return static_cast<FrameType>(static_cast<unsigned>(table) - 1); }
constexpr bool is_table(FrameType type) { return type >= FrameType::l1 && type <= FrameType::l4; }

using TableEntry = std::atomic_ref<uint64_t>;

// An entry of a valid table of the partition.
struct EntryPlace {
    uint64_t* entry;
    Mfn table;
    FrameType type;          // of the table
    uint16_t index;
};

// The L1 entry for an address in the vCPU's kernel tables; XEN_EINVAL if a level above it is absent,
// or the address is the core's.
Result<EntryPlace> find_l1_entry(const Vcpu& vcpu, GuestVirtual address);
// The entry at a machine address, of a table of the partition of any level. XEN_EINVAL if there is none.
Result<EntryPlace> find_table_entry(const Partition& partition, HostPhysical address);

// How the new value is put in; has_expected: only if the entry still is `expected`, else XEN_EAGAIN.
struct EntryUpdate {
    uint64_t value;
    bool keep_accessed_dirty = false;
    bool has_expected = false;
    uint64_t expected = 0;
};

// Changes an entry: takes references for the new value, writes it, drops those of the old value.
// XEN_ERESTART: more to do first, call again with the same arguments after what waits (nothing was
// changed). A release that it starts may be left pending: see finish_walk().
// Else XEN_EINVAL (bits, slot or level), XEN_EBUSY (frame not the partition's or of another type),
// XEN_EPERM (no RAM), XEN_ERANGE.
Result<> update_entry(Vcpu& vcpu, const EntryPlace& place, const EntryUpdate& update, WorkBudget& budget);

// A reference to a frame as a valid table, which may need a walk: XEN_ERESTART as above.
Result<> acquire_table(Vcpu& vcpu, Mfn table, FrameType type, WorkBudget& budget);
// Drops one. The last one starts a release walk, which runs as far as the budget goes.
void release_table(Partition& partition, Mfn table, FrameType type, WorkBudget& budget);
// Finishes what others left, if the budget allows. False: not finished. To be asked first by every
// operation on page tables, and last before a hypercall returns. Neither update_entry(),
// acquire_table() nor release_table() may be called while something is left.
[[nodiscard]] inline bool finish_walk(Partition& partition, WorkBudget& budget);

// For VCPUOP_initialise: a reference to a top-level table, and giving it back. Take the lock
// themselves; XEN_ERESTART as above.
Result<> reference_top_level(Vcpu& caller, Mfn table);
Result<> drop_top_level(Vcpu& caller, Mfn table);

// Goes on with it; true when nothing is under way any more (core/pv/table_walk.cpp).
[[nodiscard]] bool run_walk(Partition& partition, WorkBudget& budget);
inline bool finish_walk(Partition& partition, WorkBudget& budget)
{
    return partition.memory.walk.direction == TableWalk::Direction::none || run_walk(partition, budget);
}

}  // namespace bulkhead
