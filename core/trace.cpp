// SPDX-License-Identifier: BSD-2-Clause
// The rings behind the trace points. Each CPU writes its own; the monitor stops tracing before it
// reads them, and a record that is written at that moment is only a wrong line.
#include "core/trace.hpp"

#include "core/boot_allocator.hpp"
#include "core/cpu.hpp"
#include "core/trace_ring.hpp"
#include "machine/clock.hpp"
#include "machine/this_cpu.hpp"

namespace bulkhead {

constinit std::atomic<bool> trace_enabled{false};

namespace {
constinit std::span<TraceRing> rings{};
}

void init_trace() { rings = boot_allocate_array<TraceRing>(cpu_count()); }

std::span<TraceRing> trace_rings() { return rings; }

void trace_record(TraceEvent event, uint64_t a, uint64_t b)
{
    const CpuNumber cpu = this_cpu().number;
    if (cpu.raw() >= rings.size())
        return;
    TraceRing& ring = rings[cpu.raw()];
    const uint64_t next = ring.count.load(std::memory_order_relaxed);
    ring.records[next % ring.records.size()] = {machine::read_tsc(), a, b, event};
    ring.count.store(next + 1, std::memory_order_release);
}

}  // namespace bulkhead
