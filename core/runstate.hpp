// SPDX-License-Identifier: BSD-2-Clause
// The two changes of runstate that every switch of vCPUs makes, inline.
#pragma once

#include "core/cpu.hpp"
#include "core/vcpu.hpp"
#include "machine/this_cpu.hpp"

namespace bulkhead {

// Apart, so that switches of vCPUs without any of it do not pay for it: vcpu_info->time when it is stale, and
// the guest's copies of time and runstate.
[[gnu::cold, gnu::noinline]] void write_time_areas(Vcpu& vcpu);
[[gnu::cold, gnu::noinline]] int state_of_held(uint32_t held);

[[gnu::always_inline]] inline void enter_runstate(Vcpu& vcpu, int state, Nanoseconds when)
{
    VcpuTime& time = vcpu.time;
    const uint64_t from = time.runstate.state_entry_time;
    const uint64_t at = when.raw() > from ? when.raw() : from;
    const uint32_t version = time.runstate_version.load(std::memory_order_relaxed);
    time.runstate_version.store(version + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    time.runstate.time[time.runstate.state] += at - from;
    time.runstate.state = state;
    time.runstate.state_entry_time = at;
    time.runstate_version.store(version + 2, std::memory_order_release);
}

// Puts the vCPU on the CPU: runstate, vcpu_info->time when it is stale, and the guest's copies of
// both. Call with the vCPU's own tables loaded, after Cpu::current is set and before it is entered;
// it loads the kernel's table for the copies where the vCPU runs on the user's. Own CPU.
inline void runstate_switch_in(Vcpu& vcpu)
{
    enter_runstate(vcpu, RUNSTATE_running, this_cpu().schedule.decided_at);
    const VcpuTime& time = vcpu.time;
    if (time.stale.load(std::memory_order_relaxed) || time.runstate_area.load(std::memory_order_relaxed) != 0) [[unlikely]]
        write_time_areas(vcpu);
    // Whoever makes an event pending from here on sees in Cpu::current that this CPU must be told.
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

// Takes it off, once pick_next() has chosen something else. `held`: Vcpu::hold since then. Own CPU.
inline void runstate_switch_out(Vcpu& vcpu, uint32_t held)
{
    const int state = held == 0 ? RUNSTATE_runnable : state_of_held(held);
    enter_runstate(vcpu, state, this_cpu().schedule.decided_at);
}

}  // namespace bulkhead
