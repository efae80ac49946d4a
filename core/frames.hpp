// SPDX-License-Identifier: BSD-2-Clause
// Who owns a frame and how it is used. One entry of 16 bytes for each frame of a PV partition; other
// frames have none. A frame is never writable and a page table (or descriptor page) at once.
//
// All references are atomic against other CPUs. Types l1..l4 and descriptors are taken and put only
// under the owner's `pages` lock (core/pv/); everything here needs no lock.
#pragma once

#include "core/result.hpp"
#include "core/types.hpp"

#include <atomic>
#include <cstdint>

namespace bulkhead {

struct Partition;
struct PvMemory;

enum class FrameType : uint8_t {
    none = 0,        // no typed use so far
    writable = 1,    // mapped writable somewhere, or held so by the core
    l1 = 2,
    l2 = 3,
    l3 = 4,
    l4 = 5,
    descriptors = 6, // GDT or LDT page
};

// What the owner of a frame of the core's may do with it.
enum class SharedAccess : uint8_t { writable, read_only };

// Bits of FrameEntry::state. A frame keeps its last type when the last typed reference goes, because
// TLBs may still know it as that; changing it flushes them first (core/frames.cpp).
namespace frame {
inline constexpr uint64_t one = 1;                            // existence references
inline constexpr uint64_t count_mask = (uint64_t{1} << 26) - 1;
inline constexpr unsigned typed_shift = 26;                   // typed references, included in the former
inline constexpr uint64_t typed_one = uint64_t{1} << typed_shift;
inline constexpr uint64_t typed_mask = count_mask << typed_shift;
inline constexpr unsigned type_shift = 52;
inline constexpr uint64_t type_mask = uint64_t{7} << type_shift;
inline constexpr uint64_t validated = uint64_t{1} << 55;      // a table or descriptor page that may be used
inline constexpr uint64_t changing = uint64_t{1} << 56;       // a table between two states (core/pv/page_table.hpp)
inline constexpr uint64_t turning = uint64_t{1} << 57;        // its type or stamp changes in a moment: wait
inline constexpr uint64_t pinned = uint64_t{1} << 58;         // MMUEXT_PIN_*; holds a typed reference
inline constexpr uint64_t given = uint64_t{1} << 59;          // the guest has it
inline constexpr uint64_t core_held = uint64_t{1} << 60;      // shared_info and the like: writable for ever
// While not given, the low bits are the number of the next such frame of the partition.
inline constexpr uint64_t next_mask = (uint64_t{1} << 52) - 1;

constexpr uint64_t type_bits(FrameType type) { return static_cast<uint64_t>(type) << type_shift; }
constexpr FrameType type_of(uint64_t state) { return static_cast<FrameType>((state & type_mask) >> type_shift); }
constexpr uint64_t typed_count(uint64_t state) { return (state & typed_mask) >> typed_shift; }
constexpr uint64_t count(uint64_t state) { return state & count_mask; }
// A shared frame's state when only the core uses it.
inline constexpr uint64_t shared_state = given | core_held | type_bits(FrameType::writable) | typed_one | one;
// Of one that its owner may only read: the typed reference keeps it from ever becoming writable.
inline constexpr uint64_t shared_read_only_state = given | core_held | type_bits(FrameType::none) | typed_one | one;
constexpr uint64_t state_of_shared(SharedAccess access)
{
    return access == SharedAccess::writable ? shared_state : shared_read_only_state;
}
}  // namespace frame

struct FrameEntry {
    std::atomic<uint64_t> state;
    // Owner in the upper 16 bits, constant after start-up. Below it the flush clock at the end of the
    // last typed use, written while `turning` is set.
    std::atomic<uint64_t> owner_and_stamp;

    [[nodiscard]] DomainId owner() const
    {
        return DomainId(static_cast<uint16_t>(owner_and_stamp.load(std::memory_order_relaxed) >> 48));
    }
};
static_assert(sizeof(FrameEntry) == 16);

// An existence reference keeps a frame from being given to another use by its owner; a typed
// reference includes one. Errors: XEN_EINVAL (no such frame, not of that owner, or given back by it),
// XEN_EBUSY (it has another type at the moment), XEN_ERANGE (count at its limit).
Result<> get_frame(Mfn frame, DomainId owner);
void put_frame(Mfn frame);
Result<> get_writable_frame(Mfn frame, DomainId owner);
void put_writable_frame(Mfn frame);

// The owner of a frame; DomainId(0) if it is no partition's.
[[nodiscard]] DomainId frame_owner(Mfn frame);
// The current type, for messages and the monitor.
[[nodiscard]] FrameType frame_type(Mfn frame);

// Start-up, once for each partition, when its ranges are known and before anything else here: backs
// and fills the entries; no frame is given to the guest yet (core/pv/start_of_day.hpp does that).
void init_frames(Partition& partition);
// Start-up: a frame of the core's own memory that a partition may map, writable or not, and that it
// can never use for anything else (shared_info, grant table). Stays so over restarts.
void init_shared_frame(Mfn frame, DomainId owner, SharedAccess access = SharedAccess::writable);

// Start-up: a frame of the core's own memory that partitions may map by a grant of domain 0. Its
// references are taken with domain 0 as the owner. It is never anything but writable.
void init_core_frame(Mfn frame);

// The frame behind a partition's own frame number at start (before the guest changes anything);
// invalid_mfn beyond its memory.
[[nodiscard]] Mfn initial_frame(const PvMemory& memory, Pfn pfn);
// The same with how many frames follow in a row, itself included, `most` at the most.
struct FrameRun {
    Mfn first;
    uint64_t count;
};
[[nodiscard]] FrameRun initial_run(const PvMemory& memory, Pfn pfn, uint64_t most);

}  // namespace bulkhead
