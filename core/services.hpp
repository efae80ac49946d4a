// SPDX-License-Identifier: BSD-2-Clause
// Service partitions: what the core does for them beyond any partition. Each has a page that says what
// every partition is doing, ends of ports that it finds again after a restart, and a persistent region
// that a restart leaves alone. Their ABI is pvdrivers/abi/bulkhead.h.
#pragma once

#include "core/partition.hpp"

namespace bulkhead {

[[nodiscard]] inline bool is_service(const Partition& partition)
{
    return partition.plan->type == plan::PartitionType::service;
}

// Whether the partition lives from what the service does.
[[nodiscard]] inline bool is_client_of(const Partition& partition, const Partition& service)
{
    return (partition.plan->services >> (service.plan->domain - plan::first_service_domain) & 1) != 0;
}

// The store that serves the partition; null: it has none, or the box has no room for it.
[[nodiscard]] inline Partition* store_of(const Partition& partition)
{
    if (partition.plan->store_domain == 0)
        return nullptr;
    Partition* store = find_partition(DomainId(partition.plan->store_domain));
    return store != nullptr && !store->vcpus.empty() ? store : nullptr;
}

// The service that decodes instructions for a hardware partition; null: it has none, or the box has no
// room for it.
[[nodiscard]] Partition* machine_service_of(const Partition& partition);

// BULKHEADOP_machine_page and _turn. core/machine_service.cpp
[[nodiscard]] long machine_page(const Partition& service, GuestVirtual argument);
[[nodiscard]] long machine_turn(Vcpu& vcpu, uint32_t slot, uint64_t answer);
// Start-up.
void init_machine_service(Partition& service);
// The client's vCPUs look anew whether they are still to wait for it. Any CPU.
void machine_service_changed(const Partition& service);

// Start-up, after the tables of frames and events are made: the pages of all services.
void init_services();

// Writes a partition's state where services see it, and tells them. On the partition's home CPU, after
// each change; takes the events locks of services.
void publish_state(const Partition& partition);

// A life begins, nothing of it has run: opens its ends of store ports, and connects those whose other
// end waits. What was sent meanwhile is not lost: a connection begins with both ends pending.
void connect_store_ports(Partition& partition);

// A service ended by its own fault and is to be restarted, on its home CPU. When it happened too often
// its region is given up and its clients are restarted.
void note_service_crash(Partition& partition, Nanoseconds now);

}  // namespace bulkhead
