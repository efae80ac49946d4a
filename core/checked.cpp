// SPDX-License-Identifier: BSD-2-Clause
// See checked.hpp. A check waits until every other CPU is between two operations: there the references
// that exist are exactly those that the walk finds, but for partitions that are being cleared or built.
#include "core/checked.hpp"

#include "core/boot_allocator.hpp"
#include "core/cpu.hpp"
#include "core/hypercall_names.hpp"
#include "core/log.hpp"
#include "core/panic.hpp"
#include "core/pv/invariants.hpp"
#include "machine/clock.hpp"
#include "machine/interrupts.hpp"
#include "machine/memory.hpp"
#include "machine/relax.hpp"
#include "machine/this_cpu.hpp"

#include <algorithm>
#include <array>

extern "C" {
#include <xen/grant_table.h>
}

namespace bulkhead {

namespace {

#ifndef BULKHEAD_CHECK_EVERY
#define BULKHEAD_CHECK_EVERY 256
#endif

// Of all the others, after so many of one partition.
constexpr uint64_t all_every = 16;
// A CPU in the core for longer is waiting for something, perhaps for this CPU.
constexpr uint64_t patience_ns = 2'000'000'000;

struct State {
    std::span<FrameRecount> recount;
    std::atomic<uint64_t> interval{BULKHEAD_CHECK_EVERY};
    std::atomic<uint64_t> operations;
    std::atomic<uint64_t> checks;
    std::atomic<uint64_t> put_off;
    std::atomic<uint64_t> round;         // of the check that is under way; 0: none
    uint64_t rounds{0};                  // whoever has set `round`
    std::array<std::atomic<uint64_t>, plan::max_cpus> standing;   // by CPU: for which round
};
constinit State state;

// --- References that the walk does not find ---------------------------------------------------------

void tell_handles(const Partition& owner, const Partition& mapper, ReferenceSink& sink)
{
    const GrantTable& table = mapper.grants;
    for (uint32_t handle = 0; handle < table.mapping_count; ++handle) {
        const GrantMapping& mapping = table.mappings[handle];
        if (mapping.state == MappingState::free || mapping.granter != owner.id)
            continue;
        const uint32_t writable = (mapping.flags & GNTMAP_readonly) == 0;
        sink.add(mapping.frame, {1, writable}, {"a grant handle of a mapper (domain, handle)", mapper.id.raw(), handle});
    }
}

void tell_events(const Partition& owner, ReferenceSink& sink)
{
    const FifoEvents& events = owner.events.fifo;
    const uint32_t pages = events.page_count.load(std::memory_order_acquire);
    for (uint32_t page = 0; page < pages; ++page)
        sink.add(events.pages[page], {1, 1}, {"event words, page", page, 0});
    for (const Vcpu& vcpu : owner.vcpus) {
        const FifoVcpu& control = events.vcpus[vcpu.number.raw()];
        if (control.block != nullptr)
            sink.add(control.frame, {1, 1}, {"the event control block of vCPU", vcpu.number.raw(), 0});
        if (vcpu.info != &owner.shared->vcpu_info[vcpu.number.raw()])
            sink.add(frame_of(machine::physical_of(vcpu.info)), {1, 1}, {"vcpu_info of vCPU", vcpu.number.raw(), 0});
    }
}

void tell_references(const Partition& owner, ReferenceSink& sink, void*)
{
    for (const Partition& mapper : all_partitions())
        tell_handles(owner, mapper, sink);
    tell_events(owner, sink);
    if (owner.console.ring != nullptr)
        sink.add(owner.console.ring_frame, {1, 1}, {"the console's ring", 0, 0});
}

// A life that is ending has let go of its handles before its tables, which nothing runs on then.
bool is_granted(const Partition& mapper, Mfn frame, bool writable, void*)
{
    if (mapper.lifecycle.stage > LifecycleStage::events)
        return true;
    const GrantTable& table = mapper.grants;
    return std::any_of(table.mappings, table.mappings + table.mapping_count, [&](const GrantMapping& mapping) {
        return mapping.state != MappingState::free && mapping.frame == frame
            && (!writable || (mapping.flags & GNTMAP_readonly) == 0);
    });
}

constexpr OutsideReferences outside{tell_references, is_granted, nullptr};

// --- One partition ----------------------------------------------------------------------------------

const char* name_of(FrameType type)
{
    constexpr std::array names{"none", "writable", "L1 table", "L2 table", "L3 table", "L4 table", "descriptors"};
    const auto index = static_cast<size_t>(type);
    return index < names.size() ? names[index] : "impossible";
}

unsigned long wide(uint64_t value) { return static_cast<unsigned long>(value); }

void tell_reference(const FrameReference& where)
{
    log("checked: a reference: %s %#lx, %lu", where.what, wide(where.holder), wide(where.index));
}

// `when` and `number`: after what.
[[noreturn]] void report(const Partition& partition, const InvariantReport& found, const char* when, uint64_t number)
{
    const uint64_t entry = found.state;
    find_references(partition, found.frame, state.recount, outside, tell_reference);
    panic("checked: %s: frame %#lx: %s; type %s, %lu references, %lu typed, state %#lx; found so far %u, %u typed; "
          "%s %#lx, %lu; after %s (%lu), operation %lu",
          partition.name(), wide(found.frame.raw()), found.broken, name_of(frame::type_of(entry)),
          wide(frame::count(entry)), wide(frame::typed_count(entry)), wide(entry), found.found.existence,
          found.found.typed, found.where.what != nullptr ? found.where.what : "all references were looked at",
          wide(found.where.holder), wide(found.where.index), when, wide(number),
          wide(state.operations.load(std::memory_order_relaxed)));
}

bool can_be_checked(const Partition& partition)
{
    if (partition.hardware != nullptr || partition.vcpus.empty())
        return false;
    const LifecycleStage stage = partition.lifecycle.stage;
    // What the stages `memory` and `build` do counts only when they are done.
    const BuildState& build = partition.memory.build;
    return stage < LifecycleStage::memory || (build.stage == 0 && build.failure == nullptr);
}

void check_one(const Partition& partition, const char* when, uint64_t number)
{
    if (!can_be_checked(partition))
        return;
    const InvariantReport found = check_memory(partition, state.recount, outside);
    if (found.broken != nullptr)
        report(partition, found, when, number);
}

void check_all(const char* when, uint64_t number)
{
    for (const Partition& partition : all_partitions())
        check_one(partition, when, number);
}

// --- The other CPUs ---------------------------------------------------------------------------------

bool others_stand(uint64_t round)
{
    for (uint16_t number = 0; number < cpu_count(); ++number) {
        if (CpuNumber(number) != this_cpu().number
            && state.standing[number].load(std::memory_order_acquire) != round)
            return false;
    }
    return true;
}

// False: another CPU's check came first, and has ended; or one does not come to rest.
bool stop_others()
{
    uint64_t expected = 0;
    constexpr uint64_t claimed = ~uint64_t{0};
    if (!state.round.compare_exchange_strong(expected, claimed, std::memory_order_acq_rel)) {
        checked::stand_still();
        return false;
    }
    const uint64_t round = ++state.rounds;
    state.round.store(round, std::memory_order_release);
    for (uint16_t number = 0; number < cpu_count(); ++number) {
        Cpu& cpu = cpu_by_number(CpuNumber(number));
        if (&cpu == &this_cpu())
            continue;
        cpu.work.fetch_or(work_check, std::memory_order_release);
        machine::poke(cpu.number);
    }
    const Nanoseconds start = machine::now();
    while (!others_stand(round)) {
        if (machine::now() - start > patience_ns) {
            state.put_off.fetch_add(1, std::memory_order_relaxed);
            state.round.store(0, std::memory_order_release);
            return false;
        }
        machine::relax();
    }
    return true;
}

void let_others_go()
{
    state.checks.fetch_add(1, std::memory_order_relaxed);
    state.round.store(0, std::memory_order_release);
}

const char* name_of(checked::Operation operation)
{
    switch (operation) {
    case checked::Operation::hypercall:
        return "hypercall";
    case checked::Operation::store_to_table:
        return "a store to a page table";
    case checked::Operation::ldt_page:
        return "a page of an LDT";
    }
    return "";
}

}  // namespace

namespace checked {

void init()
{
    uint64_t most = 0;
    for (const Partition& partition : all_partitions()) {
        if (partition.hardware == nullptr && !partition.vcpus.empty())
            most = std::max(most, recount_size(partition));
    }
    state.recount = boot_allocate_array<FrameRecount>(most);
    log("CHECKED BUILD: every %lu operations all frame counts are looked at; not for use",
        wide(state.interval.load(std::memory_order_relaxed)));
}

void stand_still()
{
    std::atomic<uint64_t>& own = state.standing[this_cpu().number.raw()];
    for (;;) {
        const uint64_t round = state.round.load(std::memory_order_acquire);
        if (round == 0)
            return;
        // Release: what this CPU did is seen by whoever checks.
        own.store(round, std::memory_order_release);
        machine::relax();
    }
}

void count_operation(Vcpu& vcpu, Operation operation, uint64_t number)
{
    const uint64_t count = state.operations.fetch_add(1, std::memory_order_relaxed) + 1;
    const uint64_t interval = state.interval.load(std::memory_order_relaxed);
    if (interval == 0 || count % interval != 0 || !stop_others())
        return;
    if (count / interval % all_every == 0)
        check_all(name_of(operation), number);
    else
        check_one(*vcpu.partition, name_of(operation), number);
    let_others_go();
}

void check_at(const Partition& partition, const char* edge)
{
    // Another CPU's check may come first.
    constexpr unsigned tries = 8;
    for (unsigned i = 0; i < tries; ++i) {
        if (!stop_others())
            continue;
        check_all(edge, partition.generation);
        return let_others_go();
    }
}

void set_interval(uint64_t operations) { state.interval.store(operations, std::memory_order_relaxed); }

Figures figures()
{
    return {state.interval.load(std::memory_order_relaxed), state.operations.load(std::memory_order_relaxed),
            state.checks.load(std::memory_order_relaxed), state.put_off.load(std::memory_order_relaxed)};
}

}  // namespace checked

}  // namespace bulkhead
