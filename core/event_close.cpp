// SPDX-License-Identifier: BSD-2-Clause
// The end of a port: its own, and that of its peer's connection.
#include "core/devices/interrupts.hpp"
#include "core/event_table.hpp"
#include "core/shared_memory.hpp"

namespace bulkhead {

namespace {

// About 20,000 instructions of closing.
constexpr uint32_t ports_a_slice = 128;

void clear_pending(Partition& partition, uint32_t port)
{
    if (partition.events.fifo.in_use.load(std::memory_order_relaxed))
        return close_fifo_port(partition, port);
    const uint64_t bit = uint64_t{1} << (port % 64);
    std::atomic_ref(partition.shared->evtchn_pending[port / 64]).fetch_and(~bit, std::memory_order_relaxed);
}

// A global one is bound by way of vCPU 0, whichever vCPU it notifies now.
void unbind_virq(Partition& partition, uint32_t port, EventChannel channel)
{
    for (Vcpu* vcpu : {&partition.vcpus[channel.vcpu], &partition.vcpus[0]}) {
        if (vcpu->virq_port[channel.peer] == port)
            vcpu->virq_port[channel.peer] = 0;
    }
}

// The peer may wait for another one of ours to bind its end.
void unbind_peer(Partition& partition, Partition& peer, uint32_t peer_port)
{
    const EventChannel channel = load_channel(peer.events, peer_port);
    store_channel(peer.events, peer_port, {PortState::unbound, channel.vcpu, partition.id.raw(), 0});
}

uint64_t open_ports(EventTable& table, uint32_t word)
{
    const LockGuard guard(table.lock);
    const uint64_t never_open = word == 0 ? 1 : 0;
    return ~table.free[word] & ~never_open;
}

}  // namespace

CloseResult close_port(Partition& partition, uint32_t port)
{
    EventTable& table = partition.events;
    const EventChannel seen = load_channel(table, port);
    Partition* peer = &partition;
    if (seen.state == PortState::interdomain)
        peer = find_partition(DomainId(seen.domain));

    const EventPairGuard guard(partition, *peer);
    const EventChannel channel = load_channel(table, port);
    if (channel.state == PortState::closed)
        return CloseResult::not_open;
    if (channel.state == PortState::interdomain) {
        if (DomainId(channel.domain) != peer->id)
            return CloseResult::again;
        unbind_peer(partition, *peer, channel.peer);
    } else if (channel.state == PortState::virq) {
        unbind_virq(partition, port, channel);
    } else if (channel.state == PortState::bell) {
        unbind_bell(partition, channel.peer);
    } else if (channel.state == PortState::pirq) {
        unbind_device_interrupt(partition, channel.peer);
    }
    clear_pending(partition, port);
    store_channel(table, port, {});
    table.free[port / 64] |= uint64_t{1} << (port % 64);
    return CloseResult::closed;
}

bool close_some_ports(Partition& partition)
{
    EventTable& table = partition.events;
    uint32_t left = ports_a_slice;
    for (uint32_t word = 0; word < table.count / 64; ++word) {
        uint64_t open = open_ports(table, word);
        for (; open != 0; open &= open - 1) {
            if (left-- == 0)
                return false;
            const uint32_t port = word * 64 + static_cast<uint32_t>(std::countr_zero(open));
            if (close_port(partition, port) == CloseResult::again)
                return false;
        }
    }
    return true;
}

bool reset_events(Partition& partition)
{
    if (!close_some_ports(partition))
        return false;
    drop_fifo(partition);
    EventTable& table = partition.events;
    const LockGuard guard(table.lock);
    table.handler_count = 0;
    table.polling.store(0, std::memory_order_relaxed);
    return true;
}

}  // namespace bulkhead
