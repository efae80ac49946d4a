// SPDX-License-Identifier: BSD-2-Clause
// From the plan to each CPU's tables, once at start, and the counters that the monitor shows.
#include "core/boot_allocator.hpp"
#include "core/cpu.hpp"
#include "core/partition.hpp"
#include "core/schedule.hpp"
#include "machine/clock.hpp"

namespace bulkhead {

namespace {

constexpr uint64_t ns_per_us = 1000;

void init_entity(Vcpu& vcpu, uint16_t partition_index)
{
    const plan::Partition& plan = *vcpu.partition->plan;
    ScheduleEntity& entity = vcpu.schedule;
    entity.priority = plan.priority;
    entity.partition = partition_index;
    // A budget that fills its period bounds nothing.
    if (plan.budget_us != 0 && plan.budget_us < plan.period_us) {
        entity.budget_ns = plan.budget_us * ns_per_us;
        entity.period_ns = plan.period_us * ns_per_us;
    }
    vcpu.hold.store(hold_down | hold_stopped, std::memory_order_relaxed);
    reset_time(vcpu);
}

template <class Visit>
void for_each_vcpu(Visit visit)
{
    uint16_t index = 0;
    for (Partition& partition : all_partitions()) {
        for (Vcpu& vcpu : partition.vcpus) {
            if (vcpu.cpu.raw() < cpu_count())
                visit(vcpu, index);
        }
        ++index;
    }
}

// Windows that follow each other and name the same partition are one.
uint32_t fill_windows(std::span<ScheduleWindow> to, std::span<const plan::Window> windows, uint16_t cpu)
{
    uint32_t count = 0;
    uint64_t end_ns = 0;
    for (const plan::Window& window : windows) {
        if (window.cpu != cpu || window.length_us == 0)
            continue;
        end_ns += window.length_us * ns_per_us;
        if (count == 0 || to[count - 1].partition != window.partition)
            ++count;
        to[count - 1] = {.end_ns = end_ns, .partition = window.partition};
    }
    return count;
}

void init_windows(ScheduleCpu& schedule, std::span<const plan::Window> windows, uint16_t cpu)
{
    size_t of_cpu = 0;
    for (const plan::Window& window : windows)
        of_cpu += window.cpu == cpu && window.length_us != 0;
    schedule.open_partition = any_partition;
    schedule.window_end = never;
    if (of_cpu == 0)
        return;
    const std::span<ScheduleWindow> table = boot_allocate_array<ScheduleWindow>(of_cpu);
    const uint32_t count = fill_windows(table, windows, cpu);
    schedule.open_partition = table[0].partition;
    // A single window never ends: no timer for it.
    if (count < 2)
        return;
    schedule.windows = table.first(count);
    schedule.window_end = Nanoseconds(table[0].end_ns);
}

}  // namespace

void init_schedule(std::span<const plan::Window> windows)
{
    for (uint16_t number = 0; number < cpu_count(); ++number) {
        ScheduleCpu& schedule = cpu_by_number(CpuNumber(number)).schedule;
        uint32_t count = 0;
        for_each_vcpu([&](Vcpu& vcpu, uint16_t) { count += vcpu.cpu.raw() == number; });
        if (count != 0)
            schedule.vcpus = boot_allocate_array<Vcpu*>(count).data();
        schedule.charged_until = machine::now();
        schedule.decide_by = schedule.others_event = schedule.timer = never;
        schedule.watchdog_event = schedule.console_event = schedule.core_event = never;
        init_windows(schedule, windows, number);
    }
    for_each_vcpu([](Vcpu& vcpu, uint16_t index) {
        init_entity(vcpu, index);
        ScheduleCpu& schedule = cpu_by_number(vcpu.cpu).schedule;
        schedule.vcpus[schedule.vcpu_count++] = &vcpu;
    });
}

ScheduleCounters schedule_counters(const Vcpu& vcpu)
{
    const vcpu_runstate_info_t runstate = runstate_of(vcpu);
    // Aligned words that their own CPU writes: a reader elsewhere gets an old or a new one.
    const auto read = [](const uint64_t& word) { return __atomic_load_n(&word, __ATOMIC_RELAXED); };
    return {
        .run_ns = runstate.time[RUNSTATE_running],
        .wait_ns = runstate.time[RUNSTATE_runnable],
        .dispatches = read(vcpu.schedule.dispatches),
        .exhaustions = read(vcpu.schedule.exhaustions),
        .running = runstate.state == RUNSTATE_running,
    };
}

}  // namespace bulkhead
