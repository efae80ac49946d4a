// SPDX-License-Identifier: BSD-2-Clause
// mem: who has which memory, and what the core refused to do with it.
#include "core/boot_allocator.hpp"
#include "core/monitor/command.hpp"
#include "core/monitor/format.hpp"
#include "core/partition.hpp"

namespace bulkhead {

namespace {

void put_core(TextOut& out)
{
    uint64_t unused = 0;
    for (const FrameRange& range : free_memory())
        unused += range.count;
    out.print("core: %s of tables, taken at start; %s are nobody's\n", memory_text(boot_allocated_bytes()).data(),
              memory_text(unused << page_shift).data());
}

void put_ranges(const PvMemory& memory, TextOut& out)
{
    for (uint32_t i = 0; i < memory.range_count; ++i) {
        const FrameRange& range = memory.ranges[i];
        out.print("  %#014llx to %#014llx  %9s\n", wide(address_of(range.first).raw()),
                  wide(address_of(range.first + range.count).raw() - 1), memory_text(range.count << page_shift).data());
    }
}

// Only what is not zero: a stock kernel causes none of the refusals.
void put_counters(const MemoryCounters& counters, TextOut& out)
{
    const auto put = [&](const char* what, uint64_t count) {
        if (count != 0)
            out.print("  %-44s %12llu\n", what, wide(count));
    };
    put("stores to page tables emulated", counters.writes_emulated);
    put("stores to page tables refused", counters.writes_refused);
    put("page-table entries refused", counters.entries_refused);
    put("absent entries that named memory", counters.unsafe_absent);
    put("grants' entries overwritten", counters.grants_overwritten);
    put("self-referencing tables refused", counters.linear_refused);
    put("frames given back while in use", counters.frames_busy);
    put("walks of page tables continued", counters.walks_continued);
    put("loads of tables not yet pinned, put off", counters.loads_put_off);
}

bool step_mem(CommandRun& run, TextOut& out)
{
    if (run.item == 0)
        put_core(out);
    if (run.item < all_partitions().size()) {
        const Partition& partition = all_partitions()[run.item];
        const PvMemory& memory = partition.memory;
        out.print("%s: %s, of which its kernel has %s\n", partition.name(),
                  memory_text(memory.max_frames << page_shift).data(), memory_text(memory.frames << page_shift).data());
        put_ranges(memory, out);
        put_counters(memory.counters, out);
    }
    return ++run.item < all_partitions().size();
}

}  // namespace

void start_mem(CommandRun& run, const Words&, TextOut&) { run.step = step_mem; }

}  // namespace bulkhead
