// SPDX-License-Identifier: BSD-2-Clause
// What is always true of event channels; for the unit tests and the fuzz target.
#pragma once

#include "core/event_table.hpp"

#include <span>

namespace bulkhead {

inline bool is_bound_somewhere(const Partition& partition, uint32_t port, uint32_t virq)
{
    for (const Vcpu& vcpu : partition.vcpus) {
        if (vcpu.virq_port[virq] == port)
            return true;
    }
    return false;
}

inline const char* broken_port(const Partition& partition, uint32_t port)
{
    const EventTable& table = partition.events;
    const EventChannel channel = load_channel(table, port);
    const bool is_free = (table.free[port / 64] >> (port % 64) & 1) != 0;
    if (is_free != (channel.state == PortState::closed))
        return "a port is free and used, or neither";
    if (channel.vcpu >= partition.vcpus.size())
        return "a port notifies a vCPU that does not exist";
    if (channel.state == PortState::interdomain) {
        const Partition* peer = find_partition(DomainId(channel.domain));
        if (peer == nullptr)
            return "a port is connected to nobody";
        const EventChannel there = load_channel(peer->events, channel.peer);
        if (there.state != PortState::interdomain || there.domain != partition.id.raw() || there.peer != port)
            return "a connection has one end";
    }
    if (channel.state == PortState::bell && channel.domain != 0)
        return "a bell is not domain 0's";
    if (channel.state == PortState::virq && !is_bound_somewhere(partition, port, channel.peer))
        return "a virtual interrupt's port is not its vCPU's";
    return nullptr;
}

// Null: all is well.
inline const char* broken_event_invariant(std::span<Partition> partitions)
{
    for (const Partition& partition : partitions) {
        const EventTable& table = partition.events;
        if (table.lock.is_locked())
            return "a lock is held";
        if ((table.free[0] & 1) != 0)
            return "port 0 is free";
        for (uint32_t port = 1; port < table.count; ++port) {
            if (const char* broken = broken_port(partition, port); broken != nullptr)
                return broken;
        }
        for (const Vcpu& vcpu : partition.vcpus) {
            for (const uint32_t port : vcpu.virq_port) {
                if (port != 0 && load_channel(table, port).state != PortState::virq)
                    return "a vCPU's virtual interrupt has another port";
            }
        }
    }
    return nullptr;
}

}  // namespace bulkhead
