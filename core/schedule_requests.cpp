// SPDX-License-Identifier: BSD-2-Clause
// What asks a CPU to decide again, and the timer that does. Who waits for nothing that could happen
// on a CPU now does not interrupt it.
#include "core/schedule.hpp"

#include "core/console/console.hpp"
#include "core/schedule_internal.hpp"
#include "machine/clock.hpp"
#include "machine/interrupts.hpp"
#include "machine/this_cpu.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

bool worth_interrupting(const ScheduleCpu& schedule, const Vcpu& vcpu)
{
    const uint32_t accepts = schedule.accepts.load(std::memory_order_seq_cst);
    return vcpu.schedule.priority >= (accepts & 0xffff) && in_window(vcpu, accepts >> 16);
}

// Release pairs with the acquire of the CPU that takes the work.
void request_decision(Cpu& cpu)
{
    cpu.work.fetch_or(work_reschedule, std::memory_order_release);
    machine::poke(cpu.number);
}

// One that is not on its CPU is looked at when something else ends there: a guest can cause no
// interrupts to what runs in its place.
void request_decision_if_running(const Vcpu& vcpu)
{
    Cpu& cpu = cpu_by_number(vcpu.cpu);
    if (cpu.schedule.running.load(std::memory_order_seq_cst) == &vcpu)
        request_decision(cpu);
}

}  // namespace

// Apart, so that decisions that leave it alone do not pay for its stack frame.
[[gnu::noinline]] void set_timer(ScheduleCpu& schedule, Nanoseconds next)
{
    schedule.timer = next;
    machine::set_timer(next);
}

void hold(Vcpu& vcpu, uint32_t reasons)
{
    if (vcpu.hold.fetch_or(reasons, std::memory_order_seq_cst) == 0)
        request_decision_if_running(vcpu);
}

void release(Vcpu& vcpu, uint32_t reasons)
{
    const uint32_t before = vcpu.hold.fetch_and(~reasons, std::memory_order_seq_cst);
    if (before == 0 || (before & ~reasons) != 0)
        return;
    vcpu.schedule.woken_at.store(machine::now().raw(), std::memory_order_relaxed);
    Cpu& cpu = cpu_by_number(vcpu.cpu);
    if (worth_interrupting(cpu.schedule, vcpu))
        request_decision(cpu);
}

void timers_changed(Vcpu& vcpu)
{
    Cpu& cpu = this_cpu();
    vcpu.schedule.next_event = earliest_event(vcpu);
    if (chosen(cpu.schedule) == &vcpu)
        program_timer(cpu.schedule, &vcpu, {cpu.schedule.decide_by, cpu.schedule.others_event});
    else
        request_decision(cpu);
}

void timers_changed_remotely(Vcpu& vcpu)
{
    // Release pairs with the exchange in take_remote_changes().
    cpu_by_number(vcpu.cpu).schedule.changed.store(true, std::memory_order_release);
    request_decision_if_running(vcpu);
}

void set_watchdog_event(Nanoseconds when)
{
    ScheduleCpu& schedule = this_cpu().schedule;
    schedule.watchdog_event = when;
    schedule.core_event = std::min(schedule.watchdog_event, schedule.console_event);
}

void note_console_deadline()
{
    ScheduleCpu& schedule = this_cpu().schedule;
    schedule.console_event = next_console_deadline();
    schedule.core_event = std::min(schedule.watchdog_event, schedule.console_event);
}

}  // namespace bulkhead
