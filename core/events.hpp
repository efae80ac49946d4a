// SPDX-License-Identifier: BSD-2-Clause
// Event channels of one partition (2-level ABI).
#pragma once

#include "core/result.hpp"
#include "core/spinlock.hpp"
#include "core/types.hpp"

#include <cstdint>

namespace bulkhead {

struct Partition;
struct Vcpu;
struct EventChannel;

struct EventTable {
    Spinlock lock{LockRank::events};
    EventChannel* channels;      // `count` of them, made at start
    uint32_t count;              // 4096 in the 2-level ABI
};

// Delivers a virtual interrupt to a vCPU, if it is bound. Any CPU; takes the events lock.
void send_virq(Vcpu& vcpu, unsigned virq);
// Sets a port pending for the vCPU that it is bound to. Any CPU; takes the events lock.
void set_pending(Partition& partition, Port port);

}  // namespace bulkhead
