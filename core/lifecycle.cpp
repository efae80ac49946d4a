// SPDX-License-Identifier: BSD-2-Clause
// Requests and policy. What a request leads to is decided on the partition's home CPU, one request
// at a time; the slices of work that follow are in lifecycle_step.cpp.
#include "core/lifecycle.hpp"

#include "core/cpu.hpp"
#include "core/lifecycle_internal.hpp"
#include "core/log.hpp"
#include "core/schedule.hpp"
#include "core/services.hpp"
#include "machine/clock.hpp"
#include "machine/interrupts.hpp"
#include "machine/this_cpu.hpp"

#include <cstdio>

extern "C" {
#include <xen/sched.h>
}

namespace bulkhead {

namespace {

PartitionState state_of(const Partition& partition) { return partition.state.load(std::memory_order_acquire); }

void hold_all(Partition& partition, uint32_t reasons)
{
    for (Vcpu& vcpu : partition.vcpus)
        hold(vcpu, reasons);
}

const char* ask(Partition& partition, uint32_t request, const char* refusal)
{
    if (state_of(partition) == PartitionState::left_out)
        return partition.reason;
    if (refusal == nullptr)
        request_lifecycle(partition, request);
    return refusal;
}

// --- Policy --------------------------------------------------------------------------------------

struct Ending {
    const char* what;            // what the partition did
    const char* property;        // of the plan, which says what follows
    plan::Action action;
    bool by_fault;               // counts for the limit of restarts
    uint32_t* counter;
};

Ending ending_of(Partition& partition, uint32_t reason)
{
    const plan::Partition& plan = *partition.plan;
    Health& health = partition.health;
    switch (reason) {
    case SHUTDOWN_poweroff:
        return {"powered off", "on_poweroff", plan.on_poweroff, false, &health.poweroffs};
    case SHUTDOWN_reboot:
        return {"asked for a reboot", "on_reboot", plan.on_reboot, false, &health.reboots};
    case SHUTDOWN_soft_reset:
        return {"asked for a soft reset, which is a reboot here", "on_reboot", plan.on_reboot, false, &health.reboots};
    case SHUTDOWN_watchdog:
        return {"did not feed its watchdog in time", "on_watchdog", plan.on_watchdog, true, &health.watchdog_fires};
    case SHUTDOWN_crash:
        return {"crashed", "on_crash", plan.on_crash, true, &health.crashes};
    default:
        return {"ended for a reason that is none, which counts as a crash", "on_crash", plan.on_crash, true,
                &health.crashes};
    }
}

// The oldest of the last so many restarts is too young. Remembers this one otherwise.
bool restarts_too_often(LifecycleState& lifecycle, Nanoseconds now)
{
    Nanoseconds& oldest = lifecycle.crash_restarts[lifecycle.crash_restart_next];
    if (oldest.raw() != 0 && now - oldest < crash_window_ns)
        return true;
    oldest = now;
    lifecycle.crash_restart_next = (lifecycle.crash_restart_next + 1) % crash_restarts_at_most;
    return false;
}

void forget_crash_restarts(LifecycleState& lifecycle)
{
    lifecycle.crash_restarts = {};
    lifecycle.crash_restart_next = 0;
}

void apply_policy(Partition& partition, const Ending& ending)
{
    const char* name = partition.name();
    if (ending.action == plan::Action::preserve) {
        log("%s: %s; kept for a look, as %s says", name, ending.what, ending.property);
        end_life(partition, AfterLife::preserve);
    } else if (ending.action == plan::Action::destroy) {
        log("%s: %s; it stays down, as %s says", name, ending.what, ending.property);
        end_life(partition, AfterLife::stop);
    } else if (ending.by_fault && restarts_too_often(partition.lifecycle, machine::now())) {
        log("%s: %s; more than %u restarts in %u s: kept for a look until it is started by hand", name, ending.what,
            crash_restarts_at_most, static_cast<unsigned>(crash_window_ns / 1'000'000'000));
        end_life(partition, AfterLife::preserve);
    } else {
        log("%s: %s; restarting as %s says (life %u)", name, ending.what, ending.property, partition.generation + 1);
        if (ending.by_fault && is_service(partition))
            note_service_crash(partition, machine::now());
        end_life(partition, AfterLife::build);
    }
}

void take_shutdown(Partition& partition)
{
    // The operator's word came first.
    if (partition.lifecycle.stage != LifecycleStage::settled && partition.lifecycle.stage != LifecycleStage::build)
        return;
    const uint32_t reason = partition.lifecycle.shutdown_reason.load(std::memory_order_relaxed);
    const Ending ending = ending_of(partition, reason);
    ++*ending.counter;
    if (reason != SHUTDOWN_crash || partition.lifecycle.crashed_vcpu == no_vcpu)
        snprintf(partition.health.last_reason.data(), partition.health.last_reason.size(), "%s", ending.what);
    set_state(partition, PartitionState::shut_down);
    apply_policy(partition, ending);
}

// --- The operator --------------------------------------------------------------------------------

void end_by_operator(Partition& partition, AfterLife after)
{
    forget_crash_restarts(partition.lifecycle);
    partition.lifecycle.shutdown_reason.store(ended_by_operator, std::memory_order_relaxed);
    set_state(partition, PartitionState::shut_down);
    end_life(partition, after);
}

void take_stop(Partition& partition)
{
    if (state_of(partition) == PartitionState::stopped)
        return;
    log("%s: stopped by the operator", partition.name());
    end_by_operator(partition, AfterLife::stop);
}

void take_start(Partition& partition)
{
    if (state_of(partition) == PartitionState::stopped) {
        forget_crash_restarts(partition.lifecycle);
        begin_build(partition);
    } else if (partition.lifecycle.stage != LifecycleStage::settled) {
        partition.lifecycle.after = AfterLife::build;     // still being cleared
    } else if (state_of(partition) == PartitionState::crashed) {
        log("%s: restarting (life %u)", partition.name(), partition.generation + 1);
        end_by_operator(partition, AfterLife::build);
    }
}

void take_restart(Partition& partition)
{
    if (state_of(partition) == PartitionState::stopped)
        return take_start(partition);
    log("%s: restarted by the operator (life %u)", partition.name(), partition.generation + 1);
    end_by_operator(partition, AfterLife::build);
}

void take_renewal(Partition& partition)
{
    const PartitionState state = state_of(partition);
    if (state != PartitionState::running && state != PartitionState::paused)
        return;
    log("%s: restarted with its service (life %u)", partition.name(), partition.generation + 1);
    end_by_operator(partition, AfterLife::build);
}

void take_pause(Partition& partition)
{
    if (state_of(partition) != PartitionState::running)
        return;
    hold_all(partition, hold_paused);
    partition.lifecycle.paused_at = machine::now();
    set_state(partition, PartitionState::paused);
    log("%s: paused", partition.name());
}

// Watchdogs do not run while the partition cannot feed them.
void take_resume(Partition& partition)
{
    if (state_of(partition) != PartitionState::paused)
        return;
    shift_watchdogs(partition, machine::now() - partition.lifecycle.paused_at);
    set_state(partition, PartitionState::running);
    for (Vcpu& vcpu : partition.vcpus)
        release(vcpu, hold_paused);
    log("%s: goes on", partition.name());
}

void take_requests(Partition& partition)
{
    // Acquire pairs with the release in request_lifecycle().
    const uint32_t requests = partition.lifecycle.requests.exchange(0, std::memory_order_acquire);
    if ((requests & lifecycle_shut_down) != 0)
        take_shutdown(partition);
    if ((requests & lifecycle_stop) != 0)
        take_stop(partition);
    if ((requests & lifecycle_restart) != 0)
        take_restart(partition);
    if ((requests & lifecycle_renew) != 0)
        take_renewal(partition);
    if ((requests & lifecycle_start) != 0)
        take_start(partition);
    if ((requests & lifecycle_pause) != 0)
        take_pause(partition);
    if ((requests & lifecycle_resume) != 0)
        take_resume(partition);
}

}  // namespace

void set_state(Partition& partition, PartitionState state)
{
    partition.state.store(state, std::memory_order_release);
    publish_state(partition);
}

void request_lifecycle(Partition& partition, uint32_t request)
{
    partition.lifecycle.requests.fetch_or(request, std::memory_order_release);
    wake_home(partition);
}

void wake_home(Partition& partition)
{
    Cpu& home = cpu_by_number(partition.vcpus[0].cpu);
    home.work.fetch_or(work_lifecycle, std::memory_order_release);
    machine::poke(home.number);
}

bool claim_shutdown(Partition& partition, uint32_t reason)
{
    LifecycleState& lifecycle = partition.lifecycle;
    const uint32_t latched = lifecycle.latched_reason.load(std::memory_order_relaxed);
    uint32_t expected = no_shutdown;
    const bool first = lifecycle.shutdown_reason.compare_exchange_strong(
        expected, latched != no_shutdown ? latched : reason, std::memory_order_acq_rel);
    if (first)
        hold_all(partition, hold_stopped);
    return first;
}

void shut_down(Partition& partition, uint32_t reason)
{
    if (claim_shutdown(partition, reason))
        request_lifecycle(partition, lifecycle_shut_down);
}

void start_partitions()
{
    for (Partition& partition : all_partitions()) {
        if (state_of(partition) == PartitionState::stopped && (partition.plan->flags & plan::autostart) != 0)
            request_lifecycle(partition, lifecycle_start);
    }
}

const char* request_start(Partition& partition)
{
    const PartitionState state = state_of(partition);
    const bool can = state == PartitionState::stopped || state == PartitionState::crashed ||
                     state == PartitionState::shut_down;
    return ask(partition, lifecycle_start, can ? nullptr : "it has been started already");
}

const char* request_stop(Partition& partition)
{
    const bool can = state_of(partition) != PartitionState::stopped;
    return ask(partition, lifecycle_stop, can ? nullptr : "it is not running");
}

const char* request_restart(Partition& partition) { return ask(partition, lifecycle_restart, nullptr); }

const char* request_pause(Partition& partition)
{
    const bool can = state_of(partition) == PartitionState::running;
    return ask(partition, lifecycle_pause, can ? nullptr : "it is not running");
}

const char* request_resume(Partition& partition)
{
    const bool can = state_of(partition) == PartitionState::paused;
    return ask(partition, lifecycle_resume, can ? nullptr : "it is not paused");
}

const char* request_kill(Partition& partition)
{
    const PartitionState state = state_of(partition);
    if (state == PartitionState::left_out)
        return partition.reason;
    if (state != PartitionState::running && state != PartitionState::paused)
        return "it is not running";
    if (!claim_shutdown(partition, SHUTDOWN_crash))
        return "it is ending already";
    snprintf(partition.health.last_reason.data(), partition.health.last_reason.size(), "killed by the operator");
    partition.lifecycle.crashed_vcpu = 0;
    request_lifecycle(partition, lifecycle_shut_down);
    return nullptr;
}

void request_renewal(Partition& partition) { request_lifecycle(partition, lifecycle_renew); }

void lifecycle_work()
{
    const CpuNumber here = this_cpu().number;
    for (Partition& partition : all_partitions()) {
        if (partition.vcpus.empty() || partition.vcpus[0].cpu != here)
            continue;
        take_requests(partition);
        continue_leaving(partition);
    }
    check_watchdogs(machine::now());
}

const char* state_name(PartitionState state)
{
    switch (state) {
    case PartitionState::left_out:
        return "left out";
    case PartitionState::stopped:
        return "stopped";
    case PartitionState::building:
        return "building";
    case PartitionState::running:
        return "running";
    case PartitionState::paused:
        return "paused";
    case PartitionState::shut_down:
        return "shutting down";
    case PartitionState::crashed:
        return "crashed";
    }
    return "unknown";
}

}  // namespace bulkhead
