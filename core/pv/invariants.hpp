// SPDX-License-Identifier: BSD-2-Clause
// The rules that keep a partition's memory safe, checked from scratch by walking everything that it
// has: for host tests after each operation, and for checked builds on the target (core/checked.hpp). Slow.
#pragma once

#include "core/partition.hpp"

#include <cstdint>
#include <span>

namespace bulkhead {

// References to a frame; typed ones count as existence references too.
struct FrameRecount {
    uint32_t existence;
    uint32_t typed;
};

// Where a reference was found: for messages.
struct FrameReference {
    const char* what;        // "an entry of table", "a pin" and so on
    uint64_t holder;         // frame of the table, or number of the vCPU or handle
    uint64_t index;          // entry or page in it
};

// Takes up references that the walk cannot find by itself.
class ReferenceSink {
public:
    // To a frame of the partition; existence references, and those of them that are typed.
    virtual void add(Mfn frame, FrameRecount references, const FrameReference& where) = 0;

protected:
    ~ReferenceSink() = default;
};

// What the walk must be told: references of grant handles, of the core's rings and the like, and what
// the partition may map of others.
struct OutsideReferences {
    void (*tell)(const Partition& partition, ReferenceSink& sink, void* context);
    // Null: whatever is marked as granted may be mapped.
    bool (*is_granted)(const Partition& partition, Mfn frame, bool writable, void* context);
    void* context;
};

struct InvariantReport {
    const char* broken;      // null: everything holds
    Mfn frame;               // the first offender
    uint64_t state;          // of its entry; 0 if it has none
    FrameReference where;    // the reference that broke the rule; what is null: it is about counts
    FrameRecount found;      // by then
};

// How many elements check_memory() needs for a partition.
[[nodiscard]] uint64_t recount_size(const Partition& partition);

// `memory.lock` held, or nothing runs. `recount` has an element for each frame of the partition.
[[nodiscard]] InvariantReport check_memory(const Partition& partition, std::span<FrameRecount> recount,
                                           const OutsideReferences& outside);

// All references to one frame that the same walk finds, one after the other.
void find_references(const Partition& partition, Mfn frame, std::span<FrameRecount> recount,
                     const OutsideReferences& outside, void (*found)(const FrameReference& where));

}  // namespace bulkhead
