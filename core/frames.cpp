// SPDX-License-Identifier: BSD-2-Clause
// See frames.hpp. What makes a change of type safe: the stamp that the last typed reference leaves
// behind, compared with each CPU's last flush. While `turning` is set the entry has one writer;
// others that need a typed reference wait for it, at most as long as a TLB shoot-down takes.
#include "core/frames.hpp"

#include "core/cpu.hpp"
#include "core/frame_references.hpp"
#include "core/panic.hpp"
#include "core/partition.hpp"
#include "machine/core_space.hpp"
#include "machine/relax.hpp"
#include "machine/speculation.hpp"
#include "machine/tlb.hpp"

#include <algorithm>
#include <bit>
#include <span>

namespace bulkhead {

namespace {

constexpr unsigned owner_shift = 48;
constexpr uint64_t stamp_mask = (uint64_t{1} << owner_shift) - 1;

// The stamp holds 48 bits of the clock. Completed from the clock of now it can only come out too
// late, which flushes once too often.
uint64_t full_stamp(const FrameEntry& entry)
{
    const uint64_t now = machine::flush_clock();
    const uint64_t stamp = entry.owner_and_stamp.load(std::memory_order_relaxed);
    return now - ((now - stamp) & stamp_mask);
}

// No CPU's TLB knows the frame as what it was when its last typed reference went. Foreign mappings
// are no matter here: they are flushed before their references are put.
void flush_former_use(const FrameEntry& entry)
{
    const Partition* owner = find_partition(entry.owner());
    ASSERT(owner != nullptr);
    const uint64_t stamp = full_stamp(entry);
    uint64_t stale = 0;
    // A CPU that loads the partition's tables after this load flushes then. Pairs with the
    // sequentially consistent change of running_on before a table is loaded.
    for (uint64_t left = owner->memory.running_on.load(std::memory_order_seq_cst); left != 0; left &= left - 1) {
        const auto number = static_cast<uint16_t>(std::countr_zero(left));
        const Cpu& cpu = cpu_by_number(CpuNumber(number));
        if (cpu.flush_stamp.load(std::memory_order_acquire) <= stamp)
            stale |= uint64_t{1} << number;
    }
    if (stale != 0)
        machine::flush_cpus({stale});
}

// One who holds `turning`: gives it up for `type` with one more typed reference.
Errno finish_turning(FrameEntry& entry, FrameType type, uint64_t flags)
{
    // Only existence references come and go meanwhile.
    uint64_t state = entry.state.load(std::memory_order_relaxed);
    uint64_t next = 0;
    bool fits = true;
    do {
        fits = frame::count(state) != frame::count_mask;
        next = state & ~frame::turning;
        if (fits) {
            next &= ~(frame::type_mask | frame::validated);
            next = (next | frame::type_bits(type) | flags) + frame::one + frame::typed_one;
        }
    } while (!entry.state.compare_exchange_weak(state, next, std::memory_order_acq_rel, std::memory_order_relaxed));
    return fits ? frame::ok : XEN_ERANGE;
}

}  // namespace

namespace frame {

constinit uint64_t installed_end{0};

Errno take_typed_slowly(FrameEntry& entry, FrameType type, uint64_t flags)
{
    for (;;) {
        uint64_t state = entry.state.load(std::memory_order_acquire);
        if ((state & given) == 0)
            return XEN_EINVAL;
        if ((state & turning) != 0) {
            machine::relax();
            continue;
        }
        if (type_of(state) == type && flags == 0 && (state & changing) == 0) {
            if (count(state) == count_mask)
                return XEN_ERANGE;
            if (entry.state.compare_exchange_weak(state, state + one + typed_one, std::memory_order_acquire,
                                                  std::memory_order_relaxed))
                return ok;
            continue;
        }
        if (typed_count(state) != 0)
            return XEN_EBUSY;
        if (type_of(state) == FrameType::none) {
            // Nobody's TLB knows it as anything: no flush, and nobody who has to wait.
            if (count(state) == count_mask)
                return XEN_ERANGE;
            if (entry.state.compare_exchange_weak(state, (state | type_bits(type) | flags) + one + typed_one,
                                                  std::memory_order_acq_rel, std::memory_order_relaxed))
                return ok;
            continue;
        }
        if (!entry.state.compare_exchange_weak(state, state | turning, std::memory_order_acquire,
                                               std::memory_order_relaxed))
            continue;
        if (type_of(state) != type)
            flush_former_use(entry);
        return finish_turning(entry, type, flags);
    }
}

void put_last_typed(FrameEntry& entry, uint64_t state, uint64_t flags)
{
    // Another reference may have come since the caller looked; then this is an ordinary put.
    for (;;) {
        if ((state & typed_mask) != typed_one) {
            if (entry.state.compare_exchange_weak(state, state - one - typed_one, std::memory_order_release,
                                                  std::memory_order_relaxed))
                return;
            continue;
        }
        const uint64_t next = ((state - one - typed_one) & ~flags) | turning;
        if (entry.state.compare_exchange_weak(state, next, std::memory_order_acq_rel, std::memory_order_relaxed))
            break;
    }
    // The clock is read after the last reference went, so it is later than every unmapping.
    const uint64_t owner = entry.owner_and_stamp.load(std::memory_order_relaxed) & ~stamp_mask;
    entry.owner_and_stamp.store(owner | (machine::flush_clock() & stamp_mask), std::memory_order_relaxed);
    entry.state.fetch_and(~turning, std::memory_order_release);
}

}  // namespace frame

namespace {

void back_tables(Mfn first, uint64_t count)
{
    machine::back_frame_table(first, count);
    machine::back_m2p(first, count);
    frame::installed_end = std::max(frame::installed_end, first.raw() + count);
}

}  // namespace

Result<> get_frame(Mfn number, DomainId owner)
{
    FrameEntry* entry = frame::find(number, owner);
    if (entry == nullptr) [[unlikely]]
        return fail(XEN_EINVAL);
    return frame::result_of(frame::take(*entry));
}

void put_frame(Mfn number)
{
    const uint64_t before = frame::put(frame::entry_of(number));
    ASSERT(frame::count(before) > frame::typed_count(before));
}

Result<> get_writable_frame(Mfn number, DomainId owner)
{
    FrameEntry* entry = frame::find(number, owner);
    if (entry == nullptr) [[unlikely]]
        return fail(XEN_EINVAL);
    return frame::result_of(frame::take_writable(*entry));
}

void put_writable_frame(Mfn number)
{
    FrameEntry& entry = frame::entry_of(number);
    ASSERT((entry.state.load(std::memory_order_relaxed) & frame::type_mask) == frame::type_bits(FrameType::writable));
    frame::put_writable(entry);
}

DomainId frame_owner(Mfn number)
{
    return number.raw() < machine::frame_limit ? frame::entry_of(number).owner() : DomainId(0);
}

FrameType frame_type(Mfn number)
{
    if (number.raw() >= machine::frame_limit)
        return FrameType::none;
    const uint64_t state = frame::entry_of(number).state.load(std::memory_order_relaxed);
    return (state & frame::given) != 0 ? frame::type_of(state) : FrameType::none;
}

void init_frames(Partition& partition)
{
    PvMemory& memory = partition.memory;
    memory.linear_tables = (partition.plan->flags & plan::pv_linear_pt) != 0;
    memory.pins_late = (partition.plan->flags & plan::pv_pins_late) != 0;
    memory.absent_is_safe = machine::absent_entries_leak() && !partition.is_trusted(plan::trust_l1tf);
    const uint64_t owner = uint64_t{partition.id.raw()} << owner_shift;
    for (uint32_t i = 0; i < memory.range_count; ++i) {
        const FrameRange& range = memory.ranges[i];
        back_tables(range.first, range.count);
        for (FrameEntry& entry : std::span(&frame::entry_of(range.first), range.count))
            entry.owner_and_stamp.store(owner, std::memory_order_relaxed);
    }
}

void init_shared_frame(Mfn number, DomainId owner, SharedAccess access)
{
    Partition* partition = find_partition(owner);
    ASSERT(partition != nullptr);
    back_tables(number, 1);
    FrameEntry& entry = frame::entry_of(number);
    ASSERT(entry.owner() == DomainId(0));
    entry.owner_and_stamp.store(uint64_t{owner.raw()} << owner_shift, std::memory_order_relaxed);
    entry.state.store(frame::state_of_shared(access), std::memory_order_release);
    PvMemory& memory = partition->memory;
    if (memory.shared_count != 0) {
        FrameRange& last = memory.shared[memory.shared_count - 1];
        if (last.first + last.count == number && memory.shared_access[memory.shared_count - 1] == access) {
            ++last.count;
            return;
        }
    }
    ASSERT(memory.shared_count < memory.shared.size());
    memory.shared_access[memory.shared_count] = access;
    memory.shared[memory.shared_count++] = {number, 1};
}

void init_core_frame(Mfn number)
{
    back_tables(number, 1);
    FrameEntry& entry = frame::entry_of(number);
    ASSERT(entry.owner() == DomainId(0) && entry.state.load(std::memory_order_relaxed) == 0);
    entry.state.store(frame::shared_state, std::memory_order_release);
}

FrameRun initial_run(const PvMemory& memory, Pfn pfn, uint64_t most)
{
    uint64_t left = pfn.raw();
    for (uint32_t i = 0; i < memory.range_count; ++i) {
        const FrameRange& range = memory.ranges[i];
        if (left < range.count)
            return {range.first + left, std::min(range.count - left, most)};
        left -= range.count;
    }
    return {invalid_mfn, 0};
}

Mfn initial_frame(const PvMemory& memory, Pfn pfn) { return initial_run(memory, pfn, 1).first; }

}  // namespace bulkhead
