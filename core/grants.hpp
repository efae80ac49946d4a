// SPDX-License-Identifier: BSD-2-Clause
// The grant table of one partition, of version 1 or 2 of the ABI: what it grants to others, and what it has
// mapped of others. Source: xen/include/public/grant_table.h.
//
// As the granter: shared entries in frames that the guest maps, and one GrantUse an entry with the
// core's own counts. As the mapper: one GrantMapping a handle. A mapping or a copy first pins the
// granter's entry (its lock), and drops the pin last.
//
// Locks: a partition's `pages` lock may be held when its or another's `grants` lock is taken, never
// the other way round; no two grants locks are ever held together.
#pragma once

#include "core/plan.hpp"
#include "core/spinlock.hpp"
#include "core/types.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

extern "C" {
#include <xen/xen.h>
#include <xen/grant_table.h>
}

namespace bulkhead {

struct Partition;

inline constexpr uint32_t grant_entries_per_frame = page_size / sizeof(grant_entry_v1_t);

// Pins of one entry: mappings, and copies that are on their way. `grants` lock.
struct GrantUse {
    uint32_t counts;         // all pins, and in the upper half those that may write

    [[nodiscard]] uint16_t pins() const { return static_cast<uint16_t>(counts); }
    [[nodiscard]] uint16_t writers() const { return static_cast<uint16_t>(counts >> 16); }
};

enum class MappingState : uint8_t {
    free,
    reserved,    // being mapped or unmapped by one vCPU
    mapped,
};

// What a handle stands for. The mapper's `grants` lock.
struct GrantMapping {
    Mfn frame;
    uint32_t ref;            // free: the next free handle
    uint32_t generation;     // the granter's life
    DomainId granter;
    MappingState state;
    uint8_t flags;           // GNTMAP_*, those below the available bits
};

struct GrantTable {
    Spinlock lock{LockRank::grants};
    bool open;                            // between init_grants() and reset_grants()
    uint16_t index;                       // the partition's, in all_partitions()
    // As the granter.
    std::atomic<uint64_t>* entries;       // shared with the guest: flags, domid and frame of each
    Mfn first_frame;                      // they lie in a row
    uint32_t frames;                      // in use
    uint32_t max_frames;                  // 0: a partition that was left out
    uint32_t valid_refs;                  // references below are valid in version 1; in version 2 none
    uint32_t valid_refs_v2;               // and the reverse
    uint32_t version;
    uint32_t uncleared;                   // frames that a change of version has yet to clear; 0: none is under way
    std::atomic<grant_status_t>* status;  // version 2: the flags of use, in frames behind the others
    GrantUse* uses;
    // By the holder's index: its mappings, and one for each copy that may use entries now.
    std::array<std::atomic<uint32_t>, plan::max_partitions> held_by;
    // As the mapper.
    GrantMapping* mappings;
    uint32_t mapping_count;
    uint32_t first_free;                  // mapping_count: none
    uint32_t mappings_in_use;
    uint32_t reset_next;                  // how far reset_grants() came
};

[[nodiscard]] inline uint32_t valid_references(const GrantTable& table)
{
    return table.version == 2 ? table.valid_refs_v2 : table.valid_refs;
}

// Makes the tables of all partitions, closed: the plan's grant-frames, and handles by the size of
// the memory. Start-up only, after the frame table.
void init_grants(std::span<Partition> partitions);

// Frames that the core grants before the first instruction; invalid_mfn: none.
struct StartGrants {
    Mfn console{invalid_mfn};             // to domain 0
    Mfn store{invalid_mfn};
    DomainId store_domain{0};
};
// Opens the table for a new life. Everything of the former one is gone (reset_grants(), and no
// foreign holder left).
void init_grants(Partition& partition, const StartGrants& grants);

// Ends what a life held: a slice of dropping its mappings of others' frames, and of clearing and
// closing its own table, so that nobody maps or copies its frames any more; existing mappings stay.
// False: not finished, call again. No vCPU of the partition runs, and no CPU's TLB has entries of its
// page tables, which are not touched: they are never used again. Any CPU, no lock held.
[[nodiscard]] bool reset_grants(Partition& partition);
// Somebody else who still has the partition's frames mapped, or a copy on its way; null: nobody.
[[nodiscard]] Partition* first_foreign_holder(const Partition& partition);

// For the monitor.
struct GrantInfo {
    uint16_t flags;          // GTF_*
    DomainId domain;
    Mfn frame;
    uint16_t pins;
    uint16_t writers;
};
[[nodiscard]] GrantInfo grant_info(const Partition& partition, GrantRef ref);

}  // namespace bulkhead
