// SPDX-License-Identifier: BSD-2-Clause
// cpus and sched. Other CPUs' numbers are read while they change: each is right for some moment.
#include "core/cpu.hpp"
#include "core/monitor/command.hpp"
#include "core/monitor/format.hpp"
#include "core/partition.hpp"
#include "core/schedule.hpp"
#include "machine/clock.hpp"
#include "platform/x86/features.hpp"
#include "platform/x86/mitigations.hpp"

#include <array>
#include <cstdio>

namespace bulkhead {

namespace {

const Vcpu* running_on(const Cpu& cpu) { return __atomic_load_n(&cpu.current, __ATOMIC_RELAXED); }

// Thousandths of the time since the start.
uint64_t idle_permille(const Cpu& cpu)
{
    constexpr uint64_t second = 1'000'000'000;
    const uint64_t up_ns = machine::now().raw();
    const uint64_t hz = machine::tsc_hz();
    const uint64_t up_ticks = up_ns / second * hz + up_ns % second * (hz / 1000) / (second / 1000);
    const uint64_t permille = up_ticks < 1000 ? 0 : cpu.idle_ticks / (up_ticks / 1000);
    return permille > 1000 ? 1000 : permille;
}

using VcpuText = std::array<char, 48>;
VcpuText vcpu_text(const Vcpu* vcpu)
{
    VcpuText text{};
    if (vcpu == nullptr)
        snprintf(text.data(), text.size(), "idle");
    else
        snprintf(text.data(), text.size(), "%s vCPU %u", vcpu->partition->name(), unsigned{vcpu->number.raw()});
    return text;
}

void put_features(TextOut& out)
{
    std::array<char, 300> sentence{};
    const auto put = [&](const char* title, int (*describe)(const Features&, char*, size_t)) {
        describe(features(), sentence.data(), sentence.size());
        put_wrapped(title, sentence.data(), 17, out);
    };
    put("model", describe_cpu);
    put("virtualisation", describe_virtualisation);
    put("side channels", describe_leaks);
    put("against them", describe_mitigations);
}

// Times that a vCPU was put on the CPU.
uint64_t switches_of(const Cpu& cpu)
{
    uint64_t switches = 0;
    for (uint32_t i = 0; i < cpu.schedule.vcpu_count; ++i)
        switches += cpu.schedule.vcpus[i]->schedule.dispatches;
    return switches;
}

bool step_cpus(CommandRun& run, TextOut& out)
{
    if (run.item == cpu_count()) {
        put_features(out);
        return false;
    }
    if (run.item == 0)
        out.put("CPU  APIC     idle   interrupts     switches  runs now\n");
    const Cpu& cpu = cpu_by_number(CpuNumber(static_cast<uint16_t>(run.item)));
    const uint64_t idle = idle_permille(cpu);
    out.print("%3zu  %4u  %3llu.%llu %%  %11llu  %11llu  %s\n", run.item, cpu.machine.apic_id, wide(idle / 10),
              wide(idle % 10), wide(cpu.interrupts), wide(switches_of(cpu)), vcpu_text(running_on(cpu)).data());
    ++run.item;
    return true;
}

void put_cpu_schedule(const Cpu& cpu, TextOut& out)
{
    out.print("CPU %u runs %s", unsigned{cpu.number.raw()}, vcpu_text(running_on(cpu)).data());
    if (!cpu.schedule.windows.empty())
        out.print("; window %u of %zu is open", cpu.schedule.window + 1, cpu.schedule.windows.size());
    out.put("\n");
    if (cpu.schedule.vcpu_count != 0)
        out.put("  prio  partition       vCPU  state               ran    waited  budget/us\n");
}

void put_vcpu_schedule(const Vcpu& vcpu, TextOut& out)
{
    const ScheduleCounters counters = schedule_counters(vcpu);
    out.print("  %4u  %-14s  %4u  %-13s %9s %9s  ", vcpu.schedule.priority, vcpu.partition->name(),
              unsigned{vcpu.number.raw()}, hold_text(vcpu).data(), duration_text(counters.run_ns).data(),
              duration_text(counters.wait_ns).data());
    if (vcpu.schedule.budget_ns == 0)
        out.put("none\n");
    else
        out.print("%llu/%llu\n", wide(vcpu.schedule.budget_ns / 1000), wide(vcpu.schedule.period_ns / 1000));
}

bool step_sched(CommandRun& run, TextOut& out)
{
    const Cpu& cpu = cpu_by_number(CpuNumber(static_cast<uint16_t>(run.item)));
    if (run.inner == 0)
        put_cpu_schedule(cpu, out);
    if (run.inner < cpu.schedule.vcpu_count)
        put_vcpu_schedule(*cpu.schedule.vcpus[run.inner], out);
    if (++run.inner < cpu.schedule.vcpu_count)
        return true;
    run.inner = 0;
    return ++run.item < cpu_count();
}

}  // namespace

void start_cpus(CommandRun& run, const Words&, TextOut&) { run.step = step_cpus; }
void start_sched(CommandRun& run, const Words&, TextOut&) { run.step = step_sched; }

}  // namespace bulkhead
