// SPDX-License-Identifier: BSD-2-Clause
// A vCPU's timers, time areas and runstate. Own CPU only, except where atomic. A timer that passes
// while its vCPU does not run is kept: it fires when the vCPU could run again.
#pragma once

#include "core/types.hpp"

#include <atomic>
#include <cstdint>

extern "C" {
#include <xen/vcpu.h>
}

namespace bulkhead {

struct Partition;
struct Vcpu;

inline constexpr uint64_t no_request = ~uint64_t{0};

struct VcpuTime {
    Nanoseconds singleshot;                  // `never`: not set
    Nanoseconds periodic_next;
    uint64_t periodic_ns;                    // 0: off
    std::atomic<uint64_t> periodic_request;  // new period from another CPU; no_request: none
    Nanoseconds poll_deadline;               // of SCHEDOP_poll
    Nanoseconds apic_deadline;               // of a hardware vCPU's local APIC
    Nanoseconds upcall_after;                // events wait until then (core/pv/bounce.cpp); `never`: they do not
    // Written by the own CPU between two increments of runstate_version, read by others.
    vcpu_runstate_info_t runstate;
    std::atomic<uint32_t> runstate_version;
    // Guest-virtual, 0: none; may be registered by another vCPU of the partition.
    std::atomic<uint64_t> runstate_area;
    std::atomic<uint64_t> time_area;         // secondary vcpu_time_info
    // What the guest sees has to be written again before it runs: always, unless the clock is stable.
    std::atomic<bool> stale;
    uint32_t time_version;                   // even; that of vcpu_time_info, never read back
};

// Between two lives of the partition, and at start.
void reset_time(Vcpu& vcpu);

// On and off the CPU: core/runstate.hpp.
// The CPU found it runnable, or wants its state brought in line with Vcpu::hold, while it does not
// run. Own CPU.
void runstate_waits(Vcpu& vcpu, Nanoseconds since);
// A consistent copy with the present state charged up to now. Any CPU.
[[nodiscard]] vcpu_runstate_info_t runstate_of(const Vcpu& vcpu);

// The clock's parameters changed (refined calibration): every vCPU gets them before it next runs,
// and those that run now are interrupted for it. Any CPU.
void clock_changed();
// Writes vcpu_info->time, and the secondary area through the tables that are loaded now. Own CPU.
void update_time(Vcpu& vcpu);
// Writes wc_sec and its kin of the shared info.
void update_wall_clock(Partition& partition);

// `never` stops it. A deadline that has passed fires before the guest is entered again. Own CPU.
void set_singleshot(Vcpu& vcpu, Nanoseconds deadline);
// 0 stops it. Any CPU: another vCPU's timer is set when its CPU comes to it.
void set_periodic(Vcpu& vcpu, uint64_t period_ns);
// Takes over a period that another CPU asked for. Own CPU.
void take_periodic_request(Vcpu& vcpu, Nanoseconds now);
// Fires what is due at `now`, with one VIRQ_TIMER for all of it; sets schedule.next_event. Own CPU;
// takes the events lock.
void fire_timers(Vcpu& vcpu, Nanoseconds now);
// The earliest of the vCPU's timers and budget.
[[nodiscard]] Nanoseconds earliest_event(const Vcpu& vcpu);

}  // namespace bulkhead
