// SPDX-License-Identifier: BSD-2-Clause
// From the end of one life to the first instruction of the next, in slices that run on the account
// of vCPU 0. Nothing here waits: a stage that cannot go on gives the CPU back until something
// happens or a moment has passed.
#include "core/checked.hpp"
#include "core/console/source.hpp"
#include "core/cpu.hpp"
#include "core/devices/devices.hpp"
#include "core/events.hpp"
#include "core/grants.hpp"
#include "core/lifecycle.hpp"
#include "core/lifecycle_internal.hpp"
#include "core/log.hpp"
#include "core/panic.hpp"
#include "core/partition_console.hpp"
#include "core/pv/start_of_day.hpp"
#include "core/pv/vcpu_reset.hpp"
#include "core/schedule.hpp"
#include "core/services.hpp"
#include "machine/clock.hpp"
#include "machine/fpu.hpp"
#include "machine/interrupts.hpp"
#include "machine/this_cpu.hpp"

#include <cstdio>
#include <new>

namespace bulkhead {

namespace {

constexpr uint64_t look_again_ns = 1'000'000;

void enter_stage(Partition& partition, LifecycleStage stage)
{
    partition.lifecycle.stage = stage;
    partition.lifecycle.stage_since = machine::now();
}

// --- Leaving the CPUs ----------------------------------------------------------------------------

void interrupt_cpus_of(const Partition& partition)
{
    const uint64_t running_on = partition.memory.running_on.load(std::memory_order_seq_cst);
    for (uint16_t number = 0; number < cpu_count(); ++number) {
        if ((running_on >> number & 1) == 0)
            continue;
        cpu_by_number(CpuNumber(number)).work.fetch_or(work_reschedule, std::memory_order_release);
        machine::poke(CpuNumber(number));
    }
}

// Its CPU has chosen it, and so has its tables loaded or will load them.
bool is_on_cpu(const Vcpu& vcpu)
{
    const Cpu& here = this_cpu();
    if (vcpu.cpu == here.number)
        return here.current == &vcpu;
    return cpu_by_number(vcpu.cpu).schedule.running.load(std::memory_order_seq_cst) == &vcpu;
}

// In this order: whoever is chosen loads the tables before it is chosen no more. All are held.
bool has_left(const Partition& partition)
{
    for (const Vcpu& vcpu : partition.vcpus) {
        if (is_on_cpu(vcpu))
            return false;
    }
    return partition.memory.running_on.load(std::memory_order_seq_cst) == 0;
}

// vCPU 0 stands for the core's work from here on.
void begin_core_work(Partition& partition)
{
    Vcpu& vcpu = partition.vcpus[0];
    reset_time(vcpu);
    vcpu.schedule.core_work = true;
    release(vcpu, ~uint32_t{hold_budget});
}

void end_core_work(Partition& partition)
{
    partition.vcpus[0].schedule.core_work = false;
    enter_stage(partition, LifecycleStage::settled);
}

void stay_stopped(Partition& partition)
{
    for (Vcpu& vcpu : partition.vcpus)
        hold(vcpu, hold_down | hold_stopped);
    end_core_work(partition);
    set_state(partition, PartitionState::stopped);
}

// --- Frames that others still map ----------------------------------------------------------------

void look_again_later(Vcpu& vcpu)
{
    vcpu.time.poll_deadline = machine::now() + look_again_ns;
    hold(vcpu, hold_polling);
    timers_changed(vcpu);
}

// One that is ending lets go by itself; one that is kept for a look is worth less than this one.
void end_holder(const Partition& partition, Partition& holder)
{
    log("%s: %s still maps its memory after %u ms and is restarted", partition.name(), holder.name(),
        static_cast<unsigned>(foreign_mappings_wait_ns / 1'000'000));
    if (holder.state.load(std::memory_order_acquire) == PartitionState::crashed)
        (void)request_stop(holder);
    else
        (void)request_restart(holder);
}

void wait_for_holders(Vcpu& vcpu)
{
    Partition& partition = *vcpu.partition;
    LifecycleState& lifecycle = partition.lifecycle;
    Partition* holder = first_foreign_holder(partition);
    if (holder == nullptr) {
        enter_stage(partition, LifecycleStage::memory);
        return;
    }
    const bool ending = holder->state.load(std::memory_order_acquire) == PartitionState::shut_down;
    if (machine::now() - lifecycle.stage_since >= foreign_mappings_wait_ns && lifecycle.told_holder != holder &&
        !ending) {
        lifecycle.told_holder = holder;
        end_holder(partition, *holder);
    }
    look_again_later(vcpu);
}

// What they have begun may still write to its memory, which nobody touches before.
void wait_for_devices(Vcpu& vcpu)
{
    Partition& partition = *vcpu.partition;
    if (close_devices(partition, machine::now() - partition.lifecycle.stage_since))
        enter_stage(partition, LifecycleStage::events);
    else
        look_again_later(vcpu);
}

// --- The next life -------------------------------------------------------------------------------

// Nobody can reach a vCPU of it now: its ports are closed and its memory is no one's.
void reset_vcpu(Partition& partition, Vcpu& vcpu)
{
    vcpu.info = &partition.shared->vcpu_info[vcpu.number.raw()];
    vcpu.registers = {};
    reset_pv_state(vcpu);
    vcpu.initialised = false;
    vcpu.poll_port.store(0, std::memory_order_relaxed);
    reset_time(vcpu);
}

void clear_memory(Partition& partition)
{
    // Only its own references are left.
    if (partition.memory.build.stage == 0)
        check_at_edge(partition, "the end of life");
    const BuildStep step = reset_memory(partition);
    if (step == BuildStep::more)
        return;
    for (Vcpu& vcpu : partition.vcpus)
        reset_vcpu(partition, vcpu);
    partition.vm_assist = 0;
    if (partition.lifecycle.after == AfterLife::build)
        begin_build(partition);
    else
        stay_stopped(partition);
}

// The log goes on; where a life ends is to be seen in it.
void mark_log(const Partition& partition)
{
    if (partition.generation == 1)
        return;
    char line[32];
    const int length = snprintf(line, sizeof(line), "---- life %u ----\n", partition.generation);
    console_append(*partition.console.source, {line, static_cast<size_t>(length)});
}

void connect(Partition& partition)
{
    const plan::PvStart& start = partition.plan->pv;
    const Mfn console = initial_frame(partition.memory, Pfn(start.console_pfn));
    // An entry holds the granter's name of the frame: a hardware partition's own number.
    const auto named = [&](uint64_t pfn) {
        return partition.hardware == nullptr ? initial_frame(partition.memory, Pfn(pfn)) : Mfn(pfn);
    };
    StartGrants grants;
    grants.console = named(start.console_pfn);
    if (store_of(partition) != nullptr) {
        grants.store = named(start.store_pfn);
        grants.store_domain = DomainId(partition.plan->store_domain);
    }
    init_grants(partition, grants);
    connect_console(partition, console);
    connect_store_ports(partition);
    open_devices(partition);
}

void begin_life(Partition& partition)
{
    LifecycleState& lifecycle = partition.lifecycle;
    mark_log(partition);
    connect(partition);
    update_wall_clock(partition);
    lifecycle.latched_reason.store(no_shutdown, std::memory_order_relaxed);
    lifecycle.shutdown_reason.store(no_shutdown, std::memory_order_relaxed);
    lifecycle.crashed_vcpu = no_vcpu;
    cancel_watchdogs(partition);
    ++partition.health.starts;
    const auto built_us = static_cast<unsigned long>((machine::now() - lifecycle.stage_since) / 1000);
    end_core_work(partition);
    set_state(partition, PartitionState::running);
    log("%s: runs (life %u, built in %lu us)", partition.name(), partition.generation, built_us);
    for (Vcpu& vcpu : partition.vcpus)
        reset_time(vcpu);
    for (Vcpu& vcpu : partition.vcpus.subspan(1))
        vcpu.hold.store(hold_down, std::memory_order_relaxed);
    partition.vcpus[0].initialised = true;
    check_at_edge(partition, "the start of life");
}

void build(Partition& partition)
{
    switch (build_slice(partition)) {
    case BuildStep::more:
        return;
    case BuildStep::done:
        begin_life(partition);
        return;
    case BuildStep::failed:
        partition.reason = partition.memory.build.failure;
        log("%s: cannot be built: %s", partition.name(), partition.reason);
        partition.lifecycle.after = AfterLife::stop;
        enter_stage(partition, LifecycleStage::memory);
        return;
    }
}

}  // namespace

void end_life(Partition& partition, AfterLife after)
{
    LifecycleState& lifecycle = partition.lifecycle;
    lifecycle.after = after;
    if (lifecycle.stage != LifecycleStage::settled && lifecycle.stage != LifecycleStage::build)
        return;
    partition.vcpus[0].schedule.core_work = false;
    for (Vcpu& vcpu : partition.vcpus)
        hold(vcpu, hold_stopped);
    cancel_watchdogs(partition);
    lifecycle.told_holder = nullptr;
    enter_stage(partition, LifecycleStage::leaving);
    interrupt_cpus_of(partition);
}

void continue_leaving(Partition& partition)
{
    LifecycleState& lifecycle = partition.lifecycle;
    if (lifecycle.stage != LifecycleStage::leaving || !has_left(partition))
        return;
    if (lifecycle.crashed_vcpu != no_vcpu)
        log_registers(partition.vcpus[lifecycle.crashed_vcpu]);
    lifecycle.crashed_vcpu = no_vcpu;
    silence_devices(partition);
    if (lifecycle.after == AfterLife::preserve) {
        enter_stage(partition, LifecycleStage::settled);
        partition.reason = partition.health.last_reason.data();
        set_state(partition, PartitionState::crashed);
        return;
    }
    disconnect_console(partition);
    check_at_edge(partition, "leaving the CPUs in life");
    enter_stage(partition, LifecycleStage::devices);
    begin_core_work(partition);
}

void begin_build(Partition& partition)
{
    ++partition.generation;
    partition.reason = nullptr;
    enter_stage(partition, LifecycleStage::build);
    set_state(partition, PartitionState::building);
    begin_core_work(partition);
}

void lifecycle_step(Vcpu& vcpu)
{
    Partition& partition = *vcpu.partition;
    switch (partition.lifecycle.stage) {
    case LifecycleStage::settled:
    case LifecycleStage::leaving:
        panic("%s: nothing to clear or build", partition.name());
    case LifecycleStage::devices:
        return wait_for_devices(vcpu);
    case LifecycleStage::events:
        if (reset_events(partition))
            enter_stage(partition, LifecycleStage::grants);
        return;
    case LifecycleStage::grants:
        if (reset_grants(partition))
            enter_stage(partition, LifecycleStage::foreign);
        return;
    case LifecycleStage::foreign:
        return wait_for_holders(vcpu);
    case LifecycleStage::memory:
        return clear_memory(partition);
    case LifecycleStage::build:
        return build(partition);
    }
}

}  // namespace bulkhead
