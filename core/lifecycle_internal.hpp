// SPDX-License-Identifier: BSD-2-Clause
// Between the files of the life cycle. All on the partition's home CPU unless they say otherwise.
#pragma once

#include "core/partition.hpp"

namespace bulkhead {

// Any CPU.
void request_lifecycle(Partition& partition, uint32_t request);
void wake_home(Partition& partition);
// True for the one caller whose reason is the life's; all vCPUs are held then. Any CPU.
[[nodiscard]] bool claim_shutdown(Partition& partition, uint32_t reason);

// Who sees the state sees what led to it. Services are told.
void set_state(Partition& partition, PartitionState state);

// Takes all vCPUs off their CPUs for good, then clears or keeps what they leave.
void end_life(Partition& partition, AfterLife after);
// Goes on once no CPU has the partition's page tables loaded.
void continue_leaving(Partition& partition);
// Of a partition that has been cleared, or was never started.
void begin_build(Partition& partition);

void cancel_watchdogs(Partition& partition);
void shift_watchdogs(Partition& partition, uint64_t by_ns);

// The registers of a vCPU that is off its CPU.
void log_registers(const Vcpu& vcpu);

}  // namespace bulkhead
