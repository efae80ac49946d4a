// SPDX-License-Identifier: BSD-2-Clause
// exits [NAME]: why guests came into the core, since the start, all lives and vCPUs together.
#include "core/hardware.hpp"
#include "core/hypercall_counters.hpp"
#include "core/hypercall_names.hpp"
#include "core/monitor/command.hpp"
#include "core/monitor/format.hpp"
#include "core/partition.hpp"
#include "core/pv/emulate_state.hpp"

namespace bulkhead {

namespace {

constexpr int exit_lines_a_step = 3;
constexpr size_t kinds = static_cast<size_t>(Trapped::count);

void put_hypercall(const Partition& partition, size_t number, CommandRun& run, TextOut& out)
{
    uint64_t calls = 0;
    uint64_t refused = 0;
    for (const Vcpu& vcpu : partition.vcpus) {
        calls += vcpu.hypercalls.calls[number];
        refused += vcpu.hypercalls.refused[number];
    }
    if (calls == 0)
        return;
    if (run.shown++ == 0)
        out.put("  hypercall                       calls       refused\n");
    const char* name = number == hypercall_out_of_range ? "out of range" : hypercall_name(number);
    out.print("  %-26s %10llu  %12llu\n", name, wide(calls), wide(refused));
}

void put_emulation(const Partition& partition, size_t kind, TextOut& out)
{
    uint64_t count = 0;
    for (const Vcpu& vcpu : partition.vcpus)
        count += vcpu.pv.emulation.counts[kind];
    if (count != 0)
        out.print("  trapped: %-26s %10llu\n", trapped_name(static_cast<Trapped>(kind)), wide(count));
}

// Of a hardware partition. False: there are no more reasons.
bool put_exit(const Partition& partition, size_t reason, TextOut& out)
{
    const char* name = partition.hardware == nullptr ? nullptr : hardware_operations.exit_name(reason);
    if (name == nullptr)
        return false;
    uint64_t count = 0;
    for (const Vcpu& vcpu : partition.vcpus)
        count += hardware_operations.exit_count(vcpu, reason);
    if (count != 0)
        out.print("  exit: %-29s %10llu\n", name, wide(count));
    return true;
}

bool step_exits(CommandRun& run, TextOut& out)
{
    const Partition* partition = chosen_partition(run);
    if (partition == nullptr)
        return false;
    if (run.inner == 0)
        out.print("%s\n", partition->name());
    bool more = true;
    for (int i = 0; i < exit_lines_a_step && more; ++i, ++run.inner) {
        if (run.inner < hypercall_numbers)
            put_hypercall(*partition, run.inner, run, out);
        else if (run.inner < hypercall_numbers + kinds)
            put_emulation(*partition, run.inner - hypercall_numbers, out);
        else
            more = put_exit(*partition, run.inner - hypercall_numbers - kinds, out);
    }
    if (more)
        return true;
    return next_partition(run);
}

}  // namespace

void start_exits(CommandRun& run, const Words& words, TextOut& out)
{
    start_for_partitions(run, words, out, step_exits);
}

}  // namespace bulkhead
