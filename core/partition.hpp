// SPDX-License-Identifier: BSD-2-Clause
// A partition: what it owns, its vCPUs and its life. All partitions are made at start, from the
// plan, and never go away; what one life of it held is reset between lives.
#pragma once

#include "core/events.hpp"
#include "core/grants.hpp"
#include "core/health.hpp"
#include "core/lifecycle_state.hpp"
#include "core/partition_console.hpp"
#include "core/plan.hpp"
#include "core/pv/memory_state.hpp"
#include "core/service_state.hpp"
#include "core/types.hpp"
#include "core/vcpu.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

namespace bulkhead {

enum class PartitionState : uint8_t {
    left_out,     // the box lacks what it needs; `reason` says what
    stopped,      // not started, or powered off and to stay so
    building,     // memory is being scrubbed and filled by its first vCPU's CPU
    running,
    paused,       // by the monitor
    shut_down,    // asked for it; policy is being applied
    crashed,      // preserved for a look
};

struct HardwarePartition;

struct Partition {
    DomainId id;
    const plan::Partition* plan;
    std::atomic<PartitionState> state;
    const char* reason;                     // sentence for left_out and crashed, static or in health
    std::span<Vcpu> vcpus;
    shared_info_t* shared;                  // through the direct map
    Mfn shared_frame;
    PvMemory memory;                        // core/pv/memory_state.hpp
    HardwarePartition* hardware;            // null: PV; hvm/cpu/hardware_vcpu.hpp
    EventTable events;                      // core/events.hpp
    GrantTable grants;                      // core/grants.hpp
    Health health;                          // core/health.hpp
    LifecycleState lifecycle;               // core/lifecycle_state.hpp
    PartitionConsole console;               // core/partition_console.hpp
    ServiceState service;                   // core/service_state.hpp
    uint32_t generation;                    // lives so far
    uint64_t vm_assist;                     // VMASST_TYPE_* bits

    [[nodiscard]] const char* name() const { return plan->name.data(); }
    // The plan trusts it not to read others' memory by this leak of the CPU.
    [[nodiscard]] bool is_trusted(plan::SpeculationTrust leak) const { return (plan->trust & leak) != 0; }
};

// All partitions, in the plan's order. Fixed after start.
std::span<Partition> all_partitions();
// Null if no partition has the id.
Partition* find_partition(DomainId id);

}  // namespace bulkhead
