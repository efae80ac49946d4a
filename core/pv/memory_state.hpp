// SPDX-License-Identifier: BSD-2-Clause
// The memory of one PV partition.
#pragma once

#include "core/frames.hpp"
#include "core/plan.hpp"
#include "core/result.hpp"
#include "core/spinlock.hpp"
#include "core/types.hpp"

#include <array>
#include <atomic>
#include <cstdint>

namespace bulkhead {

struct FrameRange {
    Mfn first;
    uint64_t count;
};

// A tree of page tables that is being validated or released, and how far it came. There is at most
// one for a partition: whoever needs page tables next finishes it first (core/pv/table_walk.hpp).
struct TableWalk {
    enum class Direction : uint8_t { none, validate, release };
    // Entries below `index` are referenced: of a table of type `type`, which is marked `changing`.
    struct Level {
        Mfn table;
        FrameType type;
        uint16_t index;
    };
    Direction direction;
    uint8_t depth;                      // levels in use, the top first
    bool for_vcpu;                      // its result is for `requester`
    VcpuNumber requester;
    Errno error;                        // zero, or why it was turned into a release
    std::array<Level, 4> levels;
};

// What a walk that ended on another vCPU's turn has for the vCPU that asked for it: a reference to a
// valid table, or an error.
struct ParkedTable {
    Mfn table;
    FrameType type;                     // none: nothing is parked
    Errno error;                        // zero: the reference is held
};

// Refusals that a stock kernel does not cause; for the monitor.
struct MemoryCounters {
    uint64_t entries_refused;           // page-table entries that may not be
    uint64_t writes_emulated;
    uint64_t writes_refused;            // stores to page tables
    uint64_t unsafe_absent;             // entries not present that name installed memory (L1TF)
    uint64_t grants_overwritten;        // entries of grants that vanished without their unmapping
    uint64_t linear_refused;            // self-referencing tables
    uint64_t frames_busy;               // given back while still referenced
    uint64_t walks_continued;
    uint64_t loads_put_off;             // of page tables that were not pinned yet (pins_late)
};

// How far the start-of-day builder is (core/pv/start_of_day.cpp).
struct BuildState {
    uint8_t stage;
    uint32_t segment;                   // the one that comes next, or that `next` is in
    uint64_t next;                      // within the stage: frame, entry or byte
    uint64_t stored_done;               // stored bytes of the current payload that are unpacked
    std::array<uint64_t, 3> next_table; // pfn of the next table of L1, L2 and L3
    const char* failure;
};

inline constexpr unsigned max_shared_ranges = 8;

struct PvMemory {
    Spinlock lock{LockRank::pages};
    std::array<FrameRange, plan::max_memory_ranges> ranges;   // owned for ever, ascending pfn
    uint32_t range_count;
    uint64_t frames;                    // now given to the guest (XENMEM_current_reservation)
    uint64_t max_frames;
    std::array<FrameRange, max_shared_ranges> shared;         // init_shared_frame(); constant after start
    std::array<SharedAccess, max_shared_ranges> shared_access;
    uint32_t shared_count;
    bool region_kept;                   // the plan's persistent frames hold something: a build leaves them
    bool region_was_kept;               // the last build did
    std::atomic<uint32_t> top_level_changes;   // entries of its L4 tables that changed, and tables that became L4
    std::atomic<uint64_t> running_on;   // CPUs whose loaded page tables are its own (bit n: CPU n)

    // All below: `lock`.
    bool linear_tables;                 // PartitionFlag::pv_linear_pt
    bool pins_late;                     // PartitionFlag::pv_pins_late
    bool absent_is_safe;                // entries that are not present may not name memory (L1TF)
    Mfn first_free;                     // frames that the guest gave back, linked by their entries
    uint64_t free_frames;
    TableWalk walk;
    std::array<ParkedTable, plan::max_vcpus> parked;
    MemoryCounters counters;
    BuildState build;
};

}  // namespace bulkhead
