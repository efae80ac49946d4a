// SPDX-License-Identifier: BSD-2-Clause
// What one physical CPU knows about itself. Reached from the stack pointer (machine/this_cpu.hpp):
// each CPU's block holds its data and its stacks. Other CPUs touch only the atomics.
#pragma once

#include "core/schedule_cpu.hpp"
#include "core/types.hpp"
#include "machine/cpu_part.hpp"

#include <atomic>
#include <cstdint>

namespace bulkhead {

struct Vcpu;

// Reasons to leave the fast path before returning to a guest.
enum Work : uint32_t {
    work_reschedule = 1u << 0,   // pick a vCPU again
    work_timer = 1u << 1,        // a deadline may have passed
    work_console = 1u << 2,      // CPU 0: serial input or output room
    work_fault = 1u << 3,        // the current vCPU needs deliver_pending() (NMI, injected fault)
    work_view = 1u << 5,         // the running partition's top-level tables have changed (machine/guest_view.hpp)
    work_lifecycle = 1u << 4,    // a partition with its first vCPU here changes its state
    work_check = 1u << 6,        // checked builds: stand still (core/checked.hpp)
};

struct Cpu {
    machine::CpuPart machine;               // first: hardware structures and what entry.S uses
    Vcpu* current;                          // null: idle
    std::atomic<uint32_t> work;             // Work bits; set by anyone, then machine::poke()
    CpuNumber number;
    Vcpu* loaded;                           // whose state is in the hardware; may be current or idle's last
    std::atomic<bool> online;
    // Clock of the last full flush of this CPU's non-global TLB entries; see core/pv/memory_state.hpp.
    std::atomic<uint64_t> flush_stamp;
    ScheduleCpu schedule;                   // core/schedule_cpu.hpp
    uint64_t interrupts;                    // counted for `irq`
    uint64_t idle_ticks;                    // TSC ticks in HLT
};

// Number of CPUs that were started; constant after start-up.
uint32_t cpu_count();
// Panics if there is none of that number.
Cpu& cpu_by_number(CpuNumber number);

}  // namespace bulkhead
