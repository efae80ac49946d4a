// SPDX-License-Identifier: BSD-2-Clause
// SCHEDOP_watchdog: deadlines of a partition that its home CPU looks at, whatever its vCPUs do. The
// host's timer is set for the earliest; feeding moves a deadline away without interrupting anybody,
// so the home CPU may look once in vain.
#include "core/cpu.hpp"
#include "core/lifecycle.hpp"
#include "core/lifecycle_internal.hpp"
#include "core/result.hpp"
#include "core/schedule.hpp"
#include "core/slot_health.hpp"
#include "machine/clock.hpp"
#include "machine/this_cpu.hpp"

#include <algorithm>

extern "C" {
#include <xen/sched.h>
}

namespace bulkhead {

namespace {

constexpr uint64_t ns_per_s = 1'000'000'000;

Nanoseconds earliest(const LifecycleState& lifecycle)
{
    return *std::min_element(lifecycle.watchdog.begin(), lifecycle.watchdog.end());
}

// Takes those that are due away; true if there was one.
bool take_expired(LifecycleState& lifecycle, Nanoseconds now)
{
    bool expired = false;
    for (Nanoseconds& deadline : lifecycle.watchdog) {
        if (deadline > now)
            continue;
        deadline = never;
        expired = true;
    }
    return expired;
}

// Returns when to look at this partition again.
Nanoseconds look_at(Partition& partition, Nanoseconds now)
{
    LifecycleState& lifecycle = partition.lifecycle;
    if (partition.state.load(std::memory_order_relaxed) != PartitionState::running)
        return never;
    bool expired;
    Nanoseconds next;
    {
        const LockGuard guard(lifecycle.watchdog_lock);
        expired = take_expired(lifecycle, now);
        next = lifecycle.watchdog_look = earliest(lifecycle);
    }
    if (expired)
        shut_down(partition, SHUTDOWN_watchdog);
    return next;
}

long create(LifecycleState& lifecycle, Nanoseconds deadline)
{
    const auto free = std::find(lifecycle.watchdog.begin(), lifecycle.watchdog.end(), never);
    if (free == lifecycle.watchdog.end())
        return negative(XEN_ENOSPC);
    *free = deadline;
    return free - lifecycle.watchdog.begin() + 1;
}

long change(LifecycleState& lifecycle, uint32_t id, Nanoseconds deadline)
{
    if (lifecycle.watchdog[id - 1] == never)
        return negative(XEN_EINVAL);
    lifecycle.watchdog[id - 1] = deadline;
    return 0;
}

}  // namespace

long set_watchdog(Partition& partition, uint32_t id, uint32_t timeout_s)
{
    if (id > watchdog_timers || (id == 0 && timeout_s == 0))
        return negative(XEN_EINVAL);
    LifecycleState& lifecycle = partition.lifecycle;
    const Nanoseconds deadline = timeout_s != 0 ? machine::now() + timeout_s * ns_per_s : never;
    long result;
    bool look_earlier = false;
    {
        const LockGuard guard(lifecycle.watchdog_lock);
        result = id == 0 ? create(lifecycle, deadline) : change(lifecycle, id, deadline);
        if (earliest(lifecycle) < lifecycle.watchdog_look) {
            lifecycle.watchdog_look = earliest(lifecycle);
            look_earlier = true;
        }
    }
    if (look_earlier)
        wake_home(partition);
    return result;
}

void check_watchdogs(Nanoseconds now)
{
    const CpuNumber here = this_cpu().number;
    Nanoseconds next = never;
    for (Partition& partition : all_partitions()) {
        if (!partition.vcpus.empty() && partition.vcpus[0].cpu == here)
            next = std::min(next, look_at(partition, now));
    }
    if (here == CpuNumber(0))
        next = std::min(next, check_slot_health(now));
    set_watchdog_event(next);
}

void cancel_watchdogs(Partition& partition)
{
    const LockGuard guard(partition.lifecycle.watchdog_lock);
    partition.lifecycle.watchdog.fill(never);
    partition.lifecycle.watchdog_look = never;
}

void shift_watchdogs(Partition& partition, uint64_t by_ns)
{
    const LockGuard guard(partition.lifecycle.watchdog_lock);
    for (Nanoseconds& deadline : partition.lifecycle.watchdog) {
        if (deadline != never)
            deadline += by_ns;
    }
}

}  // namespace bulkhead
