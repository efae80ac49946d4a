// SPDX-License-Identifier: BSD-2-Clause
// See start_of_day.hpp. Stages in a fixed order, each in slices.
#include "core/pv/start_of_day.hpp"

#include "core/frame_references.hpp"
#include "core/hardware.hpp"
#include "core/panic.hpp"
#include "core/pv/descriptors.hpp"
#include "core/pv/free_frames.hpp"
#include "core/pv/page_table.hpp"
#include "core/pv/start_fill.hpp"
#include "core/pv/start_info.hpp"
#include "core/pv/start_tables.hpp"
#include "machine/memory.hpp"

#include <algorithm>
#include <span>

namespace bulkhead {

namespace {

enum Stage : uint8_t {
    idle,
    give,           // frames to the guest or to the free list
    fill,           // payloads and zeros
    list,           // the guest's list of its frames
    tables,
    pages,          // start info and the like
    validate,
    hardware,       // after `fill`, instead of all that PV needs
    reset = 100,
};

constexpr uint64_t slice_entries = 2048;        // of the frame table
constexpr uint64_t slice_free_frames = 512;

constinit const plan::Header* plan_header{nullptr};

BuildStep fail_with(BuildState& build, const char* sentence)
{
    build.stage = idle;
    build.failure = sentence;
    return BuildStep::failed;
}

void enter(BuildState& build, Stage stage)
{
    build.stage = stage;
    build.next = 0;
    build.segment = 0;
    build.stored_done = 0;
}

// --- Reset ---------------------------------------------------------------------------------------

// Windows only: the references behind them go with all others.
void forget_vcpu(Vcpu& vcpu)
{
    hide_descriptors(vcpu);
    vcpu.pv.kernel_table = Mfn(0);
    vcpu.pv.user_table = Mfn(0);
}

void begin_reset(Partition& partition)
{
    PvMemory& memory = partition.memory;
    for (uint32_t i = 0; i < memory.shared_count; ++i) {
        const uint64_t as_at_start = frame::state_of_shared(memory.shared_access[i]);
        for (uint64_t at = 0; at < memory.shared[i].count; ++at) {
            std::atomic<uint64_t>& state = frame::entry_of(memory.shared[i].first + at).state;
            const uint64_t at_end = state.exchange(as_at_start, std::memory_order_relaxed);
            // The core's own reference keeps the type, whatever a life did. One that got lost is the core's mistake.
            ASSERT(frame::type_of(at_end) == frame::type_of(as_at_start) && frame::typed_count(at_end) != 0);
        }
    }
    memory.walk = {};
    memory.parked = {};
    memory.frames = 0;
    memory.free_frames = 0;
    enter(memory.build, reset);
}

// --- Build ---------------------------------------------------------------------------------------

BuildStep begin_build(Partition& partition)
{
    BuildState& build = partition.memory.build;
    build.failure = nullptr;
    if (plan_header == nullptr)
        return fail_with(build, "there is no plan");
    if (partition.hardware == nullptr) {
        if (const char* sentence = check_start(partition); sentence != nullptr)
            return fail_with(build, sentence);
    }
    partition.memory.frames = 0;
    partition.memory.free_frames = 0;
    enter(build, give);
    return BuildStep::more;
}

// A hardware guest may write to all of its memory for as long as it lives.
void give_run(PvMemory& memory, FrameRun run, uint64_t pfn, uint64_t state)
{
    uint64_t* pfns = &machine::machine_to_phys()[run.first.raw()];
    for (FrameEntry& entry : std::span(&frame::entry_of(run.first), run.count)) {
        entry.state.store(state, std::memory_order_relaxed);
        *pfns++ = pfn++;
    }
    memory.frames += run.count;
}

// The run up to where the frames for devices begin or end, and what its frames are. Devices write to
// theirs behind the core's back, so these are never a page table.
uint64_t state_of_run(const Partition& partition, uint64_t pfn, FrameRun& run)
{
    if (partition.hardware != nullptr)
        return frame::shared_state;
    const plan::Partition& plan = *partition.plan;
    const bool for_devices = pfn - plan.dma_pfn < plan.dma_frames;
    const uint64_t border = for_devices ? plan.dma_pfn + plan.dma_frames : plan.dma_pfn;
    if (pfn < border)
        run.count = std::min(run.count, border - pfn);
    return for_devices ? frame::shared_state : frame::given;
}

BuildStep give_slice(Partition& partition)
{
    PvMemory& memory = partition.memory;
    BuildState& build = memory.build;
    const uint64_t given = partition.plan->memory_frames;
    if (build.next < given) {
        FrameRun run = initial_run(memory, Pfn(build.next), std::min(slice_entries, given - build.next));
        const uint64_t state = state_of_run(partition, build.next, run);
        give_run(memory, run, build.next, state);
        build.next += run.count;
    } else if (build.next < memory.max_frames) {
        const uint64_t end = std::min(build.next + slice_free_frames, memory.max_frames);
        for (; build.next < end; ++build.next)
            put_on_free_list(partition, initial_frame(memory, Pfn(build.next)));
    } else {
        enter(build, fill);
    }
    return BuildStep::more;
}

BuildStep fill_slice(Partition& partition)
{
    PvMemory& memory = partition.memory;
    const BuildStep step = fill_memory(partition, *plan_header);
    if (step == BuildStep::failed)
        memory.build.stage = idle;
    if (step != BuildStep::done)
        return step;
    memory.region_was_kept = memory.region_kept;
    memory.region_kept = partition.plan->persistent_frames != 0;
    enter(memory.build, partition.hardware == nullptr ? list : hardware);
    return BuildStep::more;
}

// A page of the list.
BuildStep list_slice(Partition& partition)
{
    const PvMemory& memory = partition.memory;
    BuildState& build = partition.memory.build;
    constexpr uint64_t entries_per_page = page_size / sizeof(uint64_t);
    const uint64_t end = std::min(build.next + entries_per_page, partition.plan->memory_frames);
    const Pfn page(partition.plan->pv.p2m_pfn + build.next / entries_per_page);
    uint64_t* entry = machine::frame_pointer<uint64_t>(initial_frame(memory, page));
    while (build.next < end) {
        const FrameRun run = initial_run(memory, Pfn(build.next), end - build.next);
        for (uint64_t at = 0; at < run.count; ++at)
            *entry++ = run.first.raw() + at;
        build.next += run.count;
    }
    if (end == partition.plan->memory_frames) {
        enter(build, tables);
        begin_start_tables(partition);
    }
    return BuildStep::more;
}

BuildStep tables_slice(Partition& partition)
{
    BuildState& build = partition.memory.build;
    switch (next_start_table(partition)) {
    case TablesStep::more:
        return BuildStep::more;
    case TablesStep::too_few:
        return fail_with(build, "the plan sets too few frames aside for its page tables");
    case TablesStep::done:
        break;
    }
    enter(build, pages);
    return BuildStep::more;
}

BuildStep write_pages(Partition& partition)
{
    write_start_info(*plan_header, partition);
    write_hypercall_page(partition);
    reset_shared_info(partition);
    set_start_registers(partition);
    enter(partition.memory.build, validate);
    return BuildStep::more;
}

// The references that the guest holds from the start: the pin, which it may take back, and CR3.
BuildStep validate_slice(Partition& partition)
{
    PvMemory& memory = partition.memory;
    Vcpu& vcpu = partition.vcpus[0];
    const Mfn top = start_top_level(partition);
    WorkBudget budget;
    const LockGuard guard(memory.lock);
    if (!finish_walk(partition, budget))
        return BuildStep::more;
    for (unsigned references = 0; references < 2; ++references) {
        const Result<> taken = acquire_table(vcpu, top, FrameType::l4, budget);
        if (taken.has_value())
            continue;
        // Only the first can be refused, or need more than one slice.
        ASSERT(references == 0);
        return taken.error() == XEN_ERESTART ? BuildStep::more
                                             : fail_with(memory.build, "its first page tables are refused");
    }
    frame::entry_of(top).state.fetch_or(frame::pinned, std::memory_order_relaxed);
    vcpu.pv.kernel_table = top;
    vcpu.pv.user_table = Mfn(0);
    enter(memory.build, idle);
    return BuildStep::done;
}

}  // namespace

void init_start_of_day(const plan::Header& header) { plan_header = &header; }

BuildStep reset_memory(Partition& partition)
{
    PvMemory& memory = partition.memory;
    BuildState& build = memory.build;
    if (build.stage != reset)
        begin_reset(partition);
    if (build.segment < partition.vcpus.size()) {
        forget_vcpu(partition.vcpus[build.segment]);
        ++build.segment;
        return BuildStep::more;
    }
    if (build.next < memory.max_frames) {
        const FrameRun run = initial_run(memory, Pfn(build.next), slice_entries);
        for (uint64_t at = 0; at < run.count; ++at)
            frame::entry_of(run.first + at).state.store(0, std::memory_order_relaxed);
        build.next += run.count;
        return BuildStep::more;
    }
    enter(build, idle);
    return BuildStep::done;
}

BuildStep build_slice(Partition& partition)
{
    switch (partition.memory.build.stage) {
    case give:
        return give_slice(partition);
    case fill:
        return fill_slice(partition);
    case list:
        return list_slice(partition);
    case tables:
        return tables_slice(partition);
    case pages:
        return write_pages(partition);
    case validate:
        return validate_slice(partition);
    case hardware:
        reset_shared_info(partition);
        hardware_operations.start_of_day(partition);
        enter(partition.memory.build, idle);
        return BuildStep::done;
    default:
        return begin_build(partition);
    }
}

}  // namespace bulkhead
