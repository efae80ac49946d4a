// SPDX-License-Identifier: BSD-2-Clause
// The timers of a vCPU: single-shot, periodic, the timeout of a poll, and the end of a budget's
// period. There is no periodic timer until the guest asks for one (Xen starts with 10 ms, which
// kernels stop at once): a vCPU that wants no ticks gets none.
#include "core/cpu.hpp"
#include "core/events.hpp"
#include "core/hardware.hpp"
#include "core/schedule.hpp"
#include "core/schedule_budget.hpp"
#include "core/vcpu_time.hpp"
#include "machine/clock.hpp"
#include "machine/this_cpu.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

bool held_for_budget(const Vcpu& vcpu)
{
    return (vcpu.hold.load(std::memory_order_relaxed) & hold_budget) != 0;
}

// Ticks that were missed are one.
void advance_periodic(VcpuTime& time, Nanoseconds now)
{
    const uint64_t late_ns = now - time.periodic_next;
    time.periodic_next += late_ns - late_ns % time.periodic_ns + time.periodic_ns;
}

}  // namespace

Nanoseconds earliest_event(const Vcpu& vcpu)
{
    // Nothing else can make it run before.
    if (held_for_budget(vcpu))
        return vcpu.schedule.budget_end;
    return std::min({vcpu.time.singleshot, vcpu.time.periodic_next, vcpu.time.poll_deadline, vcpu.time.upcall_after,
                     vcpu.time.apic_deadline});
}

void fire_timers(Vcpu& vcpu, Nanoseconds now)
{
    VcpuTime& time = vcpu.time;
    bool tick = false;
    if (held_for_budget(vcpu) && now >= vcpu.schedule.budget_end) {
        begin_period(vcpu.schedule, vcpu.schedule.budget_end);
        release(vcpu, hold_budget);
    }
    if (now >= time.singleshot) {
        time.singleshot = never;
        tick = true;
    }
    if (now >= time.periodic_next) {
        advance_periodic(time, now);
        tick = true;
    }
    if (now >= time.poll_deadline) {
        time.poll_deadline = never;
        stop_polling(vcpu);
        release(vcpu, hold_polling);
    }
    if (now >= time.apic_deadline) [[unlikely]]
        hardware_operations.timer_expired(vcpu, now);
    if (now >= time.upcall_after) {
        time.upcall_after = never;
        vcpu.pv.upcalls_in_a_row = 0;
    }
    vcpu.schedule.next_event = earliest_event(vcpu);
    if (tick)
        send_virq(vcpu, VIRQ_TIMER);
}

void set_singleshot(Vcpu& vcpu, Nanoseconds deadline)
{
    vcpu.time.singleshot = deadline;
    timers_changed(vcpu);
}

void set_periodic(Vcpu& vcpu, uint64_t period_ns)
{
    // Release pairs with the acquire in take_periodic_request().
    vcpu.time.periodic_request.store(period_ns, std::memory_order_release);
    if (vcpu.cpu != this_cpu().number) {
        timers_changed_remotely(vcpu);
        return;
    }
    take_periodic_request(vcpu, machine::now());
    timers_changed(vcpu);
}

void take_periodic_request(Vcpu& vcpu, Nanoseconds now)
{
    const uint64_t period_ns = vcpu.time.periodic_request.exchange(no_request, std::memory_order_acquire);
    if (period_ns == no_request)
        return;
    vcpu.time.periodic_ns = period_ns;
    vcpu.time.periodic_next = period_ns != 0 ? now + period_ns : never;
    vcpu.schedule.next_event = earliest_event(vcpu);
}

}  // namespace bulkhead
