// SPDX-License-Identifier: BSD-2-Clause
// trace on|off|show. Showing stops the recording, so that what is shown stands still; the records of
// all CPUs come in the order of their times.
#include "core/hypercall_names.hpp"
#include "core/monitor/command.hpp"
#include "core/monitor/format.hpp"
#include "core/partition.hpp"
#include "core/trace_ring.hpp"
#include "machine/clock.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

struct Place {
    uint64_t time;
    size_t cpu;
    auto operator<=>(const Place&) const = default;
};

const TraceRecord& record_at(const TraceRing& ring, uint64_t index) { return ring.records[index % ring.records.size()]; }

// The first record of a CPU behind a place; null if there is none. Records of one CPU ascend.
const TraceRecord* first_behind(size_t cpu, const Place& place)
{
    const TraceRing& ring = trace_rings()[cpu];
    const uint64_t count = ring.count.load(std::memory_order_acquire);
    uint64_t low = count - std::min<uint64_t>(count, ring.records.size());
    uint64_t high = count;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        if (Place{record_at(ring, middle).time.raw(), cpu} <= place)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count ? &record_at(ring, low) : nullptr;
}

void put_vcpu(const char* what, uint64_t domain_and_vcpu, TextOut& out)
{
    const Partition* partition = find_partition(DomainId(static_cast<uint16_t>(domain_and_vcpu >> 16)));
    out.print("%-9s  %s vCPU %llu\n", what, partition != nullptr ? partition->name() : "?", wide(domain_and_vcpu & 0xffff));
}

void put_record(const TraceRecord& record, size_t cpu, TextOut& out)
{
    const uint64_t ns = machine::to_time(record.time).raw();
    out.print("%6llu.%09llu  CPU %-2zu  ", wide(ns / 1'000'000'000), wide(ns % 1'000'000'000), cpu);
    switch (record.event) {
    case TraceEvent::hypercall:
        out.print("hypercall  %s(%#llx)\n", hypercall_name(record.a), wide(record.b));
        break;
    case TraceEvent::trap:
        out.print("trap       %llu, error %#llx, at %#llx\n", wide(record.a & 0xffff'ffff), wide(record.a >> 32),
                  wide(record.b));
        break;
    case TraceEvent::vcpu_enter:
        put_vcpu("enters", record.a, out);
        break;
    case TraceEvent::vcpu_leave:
        put_vcpu("leaves", record.a, out);
        break;
    case TraceEvent::interrupt:
        out.print("interrupt  %#llx\n", wide(record.a));
        break;
    }
}

// run.address and run.item: the last place that was shown.
bool step_show(CommandRun& run, TextOut& out)
{
    const Place last{run.address, run.item};
    Place next{~uint64_t{0}, ~size_t{0}};
    const TraceRecord* found = nullptr;
    for (size_t cpu = 0; cpu < trace_rings().size(); ++cpu) {
        const TraceRecord* record = first_behind(cpu, last);
        if (record == nullptr || Place{record->time.raw(), cpu} >= next)
            continue;
        next = {record->time.raw(), cpu};
        found = record;
    }
    if (found == nullptr) {
        if (run.shown == 0)
            out.put("Nothing was recorded; `trace on` starts it.\n");
        return false;
    }
    put_record(*found, next.cpu, out);
    run.address = next.time;
    run.item = next.cpu;
    ++run.shown;
    return true;
}

}  // namespace

void start_trace(CommandRun& run, const Words& words, TextOut& out)
{
    const bool was_on = trace_enabled.load(std::memory_order_relaxed);
    if (words.count < 2) {
        out.print("trace is %s; on, off or show?\n", was_on ? "on" : "off");
        return;
    }
    const NameList names = names_of(WordKind::trace_action);
    const Match match = find_name(names, words[1]);
    if (match.meaning != Meaning::one) {
        put_no_match(names, words[1], match, words[0], "action", out);
        return;
    }
    const bool on = match.index == 0;
    trace_enabled.store(on, std::memory_order_relaxed);
    if (match.index == 2) {
        if (was_on)
            out.put("trace is off now, so that this stands still.\n");
        run.step = step_show;
    } else {
        out.print("trace is %s.\n", on ? "on" : "off");
    }
}

}  // namespace bulkhead
