// SPDX-License-Identifier: BSD-2-Clause
// See free_frames.hpp.
#include "core/pv/free_frames.hpp"

#include "core/frame_references.hpp"
#include "machine/memory.hpp"

namespace bulkhead {

namespace {

constexpr uint64_t end_of_list = frame::next_mask;
constexpr uint64_t no_pfn = ~uint64_t{0};

// PvMemory::first_free is invalid_mfn (or, before the first use, zero with no free frames) at the end.
uint64_t link_of(const PvMemory& memory) { return memory.free_frames == 0 ? end_of_list : memory.first_free.raw(); }

Errno check_state(uint64_t state)
{
    if ((state & frame::given) == 0 || (state & frame::core_held) != 0)
        return XEN_EINVAL;
    return frame::count(state) != 0 || (state & frame::turning) != 0 ? XEN_EBUSY : frame::ok;
}

void write_m2p(Mfn number, uint64_t pfn)
{
    std::atomic_ref<uint64_t>(machine::machine_to_phys()[number.raw()]).store(pfn, std::memory_order_relaxed);
}

}  // namespace

Errno may_give_back(const Partition& partition, Mfn number)
{
    const FrameEntry* entry = frame::find(number, partition.id);
    return entry == nullptr ? XEN_EINVAL : check_state(entry->state.load(std::memory_order_relaxed));
}

Errno give_back(Partition& partition, Mfn number)
{
    PvMemory& memory = partition.memory;
    FrameEntry* entry = frame::find(number, partition.id);
    if (entry == nullptr)
        return XEN_EINVAL;
    uint64_t state = entry->state.load(std::memory_order_relaxed);
    do {
        if (const Errno error = check_state(state); error != frame::ok) {
            memory.counters.frames_busy += error == XEN_EBUSY;
            return error;
        }
        // The type stays: TLBs may know it still.
    } while (!entry->state.compare_exchange_weak(state, (state & frame::type_mask) | link_of(memory),
                                                 std::memory_order_acq_rel, std::memory_order_relaxed));
    memory.first_free = number;
    ++memory.free_frames;
    --memory.frames;
    write_m2p(number, no_pfn);
    return frame::ok;
}

Mfn give_out(Partition& partition, uint64_t pfn)
{
    PvMemory& memory = partition.memory;
    if (memory.free_frames == 0)
        return invalid_mfn;
    const Mfn number = memory.first_free;
    FrameEntry& entry = frame::entry_of(number);
    const uint64_t state = entry.state.load(std::memory_order_relaxed);
    memory.first_free = Mfn(state & (frame::next_mask));
    --memory.free_frames;
    ++memory.frames;
    machine::clear_frame(machine::frame_pointer(number));
    write_m2p(number, pfn);
    entry.state.store(frame::given | (state & frame::type_mask), std::memory_order_release);
    return number;
}

void put_on_free_list(Partition& partition, Mfn number)
{
    PvMemory& memory = partition.memory;
    frame::entry_of(number).state.store(link_of(memory), std::memory_order_relaxed);
    memory.first_free = number;
    ++memory.free_frames;
    write_m2p(number, no_pfn);
}

}  // namespace bulkhead
