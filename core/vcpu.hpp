// SPDX-License-Identifier: BSD-2-Clause
// A virtual CPU. It is pinned to one physical CPU for life, so its saved state has one reader and
// writer; what other CPUs may touch is atomic and says so.
#pragma once

#include "core/guest_frame.hpp"
#include "core/hypercall_counters.hpp"
#include "core/pv/vcpu_state.hpp"
#include "core/schedule_entity.hpp"
#include "core/types.hpp"
#include "core/vcpu_time.hpp"

#include <array>
#include <atomic>
#include <cstdint>

extern "C" {
#include <xen/xen.h>
}

namespace bulkhead {

struct Partition;
struct HardwareVcpu;

// Why a vCPU does not run; it is runnable when none is set. Any CPU may set and clear bits; whoever
// clears the last one calls schedule_poke() on the vCPU's CPU (see wake()).
enum Hold : uint32_t {
    hold_down = 1u << 0,         // never started, or VCPUOP_down
    hold_blocked = 1u << 1,      // SCHEDOP_block, until an event
    hold_polling = 1u << 2,      // SCHEDOP_poll
    hold_paused = 1u << 3,       // the monitor
    hold_stopped = 1u << 4,      // partition not running: shut down, crashed, not started
    hold_budget = 1u << 5,       // used up its budget until its period ends (its own CPU only)
    hold_inspected = 1u << 6,    // the monitor reads its registers, for a moment
    hold_machine = 1u << 7,      // until its machine service has answered
};

struct Vcpu {
    GuestFrame registers;                       // valid while it is not the CPU's current one
    Partition* partition;
    VcpuNumber number;
    CpuNumber cpu;
    std::atomic<uint32_t> hold;
    // The guest's vcpu_info, through the direct map: in shared_info, or where
    // VCPUOP_register_vcpu_info put it. Never null.
    vcpu_info_t* info;
    PvVcpuState pv;                             // core/pv/vcpu_state.hpp
    ScheduleEntity schedule;                    // core/schedule_entity.hpp
    VcpuTime time;                              // core/vcpu_time.hpp
    void* fpu_area;                             // XSAVE area, 64-byte aligned, size from the CPU
    uint16_t index;                             // among all vCPUs of the image: its descriptor window,
    machine::TablePointer gdt;                  // and what the CPU is told of that
    bool initialised;                           // VCPUOP_initialise succeeded
    std::array<uint16_t, NR_VIRQS> virq_port;   // 0: not bound; events lock of the partition
    std::atomic<uint32_t> poll_port;            // SCHEDOP_poll: 0 none, all ones several
    HypercallCounters hypercalls;               // core/hypercall_counters.hpp
    HardwareVcpu* hardware;                     // null: PV; hvm/cpu/hardware_vcpu.hpp
};

}  // namespace bulkhead
