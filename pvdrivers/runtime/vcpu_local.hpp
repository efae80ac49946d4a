// SPDX-License-Identifier: BSD-2-Clause
// What each vCPU has of its own, found by GS.
#pragma once

#include "pvdrivers/runtime/this_vcpu.hpp"
#include "pvdrivers/runtime/timer_queue.hpp"

#include <bulkhead/events.hpp>
#include <bulkhead/vcpus.hpp>

#include <atomic>
#include <cstdint>

extern "C" {
#include <xen/xen.h>
}

namespace bulkhead {

struct VcpuLocal {
    VcpuLocal* self;                // %gs:0
    VcpuNumber number;
    vcpu_info_t* info;
    TimerQueue timers;
    Port timer_port;
    bool timer_came;                // the hypervisor has to be told the next deadline
    uint64_t stack_low;             // the lowest address of the stack; a guard page lies below it
    uint64_t stack_end;
    std::atomic<bool> running;
    void (*function)(void*);
    void* context;
};

extern VcpuLocal vcpu_locals[most_vcpus];

[[nodiscard]] inline VcpuLocal& local_of(VcpuNumber vcpu) { return vcpu_locals[static_cast<uint32_t>(vcpu)]; }

// On the vCPU itself: its part of shared info and its timer's port. No handler runs before.
void init_vcpu(VcpuLocal& vcpu);
// Calls the timers that are due; how many.
unsigned run_due_timers(VcpuLocal& vcpu);
// Once, on vCPU 0.
void init_boot_vcpu();
// Maps a stack for the vCPU if it has none. False: there is no memory.
[[nodiscard]] bool prepare_stack(VcpuLocal& vcpu);

}  // namespace bulkhead
