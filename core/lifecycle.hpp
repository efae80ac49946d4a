// SPDX-License-Identifier: BSD-2-Clause
// Starting, stopping and restarting partitions. Everything that changes a partition's state happens
// on its home CPU, that of its vCPU 0; anybody may ask from any CPU, and nobody ever waits. Long
// work (clearing a life's leftovers, scrubbing and filling memory) is done in slices on the account
// of vCPU 0: at its priority, within its budget, and other vCPUs of that CPU run in between.
#pragma once

#include "core/partition.hpp"

namespace bulkhead {

// Start-up: asks for every partition that the plan starts by itself.
void start_partitions();

// From the monitor or a policy, on any CPU. Null if the request was taken, else a sentence that says
// why it makes no sense now. The result shows in Partition::state and in the log.
const char* request_start(Partition& partition);
const char* request_stop(Partition& partition);
const char* request_restart(Partition& partition);
const char* request_pause(Partition& partition);
const char* request_resume(Partition& partition);

// As if the partition had crashed here and now: the plan's on_crash says what follows.
const char* request_kill(Partition& partition);
// Its service has lost what it knew of this life: restarts one that is alive, and no other. Any CPU.
void request_renewal(Partition& partition);

// Ends this life: holds all vCPUs at once and applies the plan's policy for the reason (SHUTDOWN_*)
// soon. The first reason wins; later ones are ignored. Any CPU, no lock of rank lifecycle held.
void shut_down(Partition& partition, uint32_t reason);

// Called when a CPU finds work_lifecycle: takes the requests of the partitions whose home it is.
void lifecycle_work();
// Called for what pick_next() returned with schedule.core_work: one slice (about 20,000
// instructions) of clearing or building. No guest's tables are loaded, no lock is held.
void lifecycle_step(Vcpu& vcpu);

// SCHEDOP_watchdog of the partition: returns an id, 0 or a negative errno.
long set_watchdog(Partition& partition, uint32_t id, uint32_t timeout_s);
// A watchdog of a partition at home here may be due. Own CPU; sets the CPU's next one.
void check_watchdogs(Nanoseconds now);

[[nodiscard]] const char* state_name(PartitionState state);

}  // namespace bulkhead
