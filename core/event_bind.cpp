// SPDX-License-Identifier: BSD-2-Clause
// Opening ports, looking at them, and choosing the vCPU that they notify.
#include "core/devices/interrupts.hpp"
#include "core/domain_argument.hpp"
#include "core/event_operations.hpp"
#include "core/event_table.hpp"
#include "core/shared_memory.hpp"

namespace bulkhead {

namespace {

// Delivered to one vCPU of the partition, whichever it chooses.
bool is_global(uint32_t virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

Result<Vcpu*> find_vcpu(Partition& self, uint32_t number)
{
    if (number >= self.vcpus.size())
        return fail(XEN_ENOENT);
    return &self.vcpus[machine::nospec_index(number, self.vcpus.size())];
}

}  // namespace

// So many free ports that stand in queues are passed over, which is more than a guest leaves there that takes its
// events: some 10,000 instructions.
static constexpr uint32_t passed_over_at_most = 512;

// A closed port may still stand in a queue of the FIFO form: nobody gets it until the guest has taken
// it out.
static bool is_in_queue(const Partition& partition, uint32_t port)
{
    if (!partition.events.fifo.in_use.load(std::memory_order_relaxed))
        return false;
    const EventWord* const word = fifo_word(partition, port);
    return word != nullptr && (word->load(std::memory_order_relaxed) & fifo::linked) != 0;
}

Result<uint32_t> find_free_port(const Partition& partition)
{
    const EventTable& table = partition.events;
    uint32_t passed_over = 0;
    for (uint32_t word = 0; word < table.count / 64; ++word) {
        for (uint64_t free = table.free[word]; free != 0; free &= free - 1) {
            const uint32_t port = word * 64 + static_cast<uint32_t>(std::countr_zero(free));
            if (!is_in_queue(partition, port))
                return port;
            if (++passed_over == passed_over_at_most)
                return fail(XEN_ENOSPC);
        }
    }
    return fail(XEN_ENOSPC);
}

void open_port(Partition& partition, uint32_t port, EventChannel channel)
{
    EventTable& table = partition.events;
    open_fifo_port(partition, port);
    table.free[port / 64] &= ~(uint64_t{1} << (port % 64));
    store_channel(table, port, channel);
}

Result<> alloc_unbound(Partition& self, evtchn_alloc_unbound& request)
{
    TRY_VOID(check_self(self, request.dom));
    const uint16_t remote = request.remote_dom == DOMID_SELF ? self.id.raw() : request.remote_dom;
    const LockGuard guard(self.events.lock);
    request.port = TRY(find_free_port(self));
    open_port(self, request.port, {PortState::unbound, 0, remote, 0});
    return {};
}

Result<> bind_interdomain(Partition& self, evtchn_bind_interdomain& request)
{
    if (request.remote_dom == 0) {
        request.local_port = TRY(bind_bell(self, request.remote_port));
        return {};
    }
    Partition* remote = &self;
    if (request.remote_dom != DOMID_SELF)
        remote = find_partition(DomainId(request.remote_dom));
    if (remote == nullptr)
        return fail(XEN_ESRCH);

    const EventPairGuard guard(self, *remote);
    const uint32_t port = TRY(find_free_port(self));
    const uint32_t remote_port = TRY(check_port(remote->events, request.remote_port));
    const EventChannel peer = load_channel(remote->events, remote_port);
    if (peer.state != PortState::unbound || DomainId(peer.domain) != self.id)
        return fail(XEN_EINVAL);
    open_port(self, port, {PortState::interdomain, 0, remote->id.raw(), remote_port});
    store_channel(remote->events, remote_port, {PortState::interdomain, peer.vcpu, self.id.raw(), port});
    // The peer may have sent before there was anybody to receive it.
    raise_event(self, port, self.vcpus[0]);
    request.local_port = port;
    return {};
}

void open_static_port(Partition& partition, Port port, Partition& peer, Port peer_port)
{
    if (port.raw() >= partition.events.count || peer_port.raw() >= peer.events.count)
        return;
    const EventPairGuard guard(partition, peer);
    if (load_channel(partition.events, port.raw()).state != PortState::closed)
        return;
    const EventChannel there = load_channel(peer.events, peer_port.raw());
    if (there.state != PortState::unbound || DomainId(there.domain) != partition.id) {
        open_port(partition, port.raw(), {PortState::unbound, 0, peer.id.raw(), 0});
        return;
    }
    open_port(partition, port.raw(), {PortState::interdomain, 0, peer.id.raw(), peer_port.raw()});
    store_channel(peer.events, peer_port.raw(),
                  {PortState::interdomain, there.vcpu, partition.id.raw(), port.raw()});
    // Neither knows what the other's former life had sent, or failed to send.
    raise_event(partition, port.raw(), partition.vcpus[0]);
    raise_event(peer, peer_port.raw(), peer.vcpus[there.vcpu]);
}

Result<> bind_virq(Partition& self, evtchn_bind_virq& request)
{
    if (request.virq >= NR_VIRQS || (is_global(request.virq) && request.vcpu != 0))
        return fail(XEN_EINVAL);
    const uint64_t virq = machine::nospec_index(request.virq, NR_VIRQS);
    Vcpu& vcpu = *TRY(find_vcpu(self, request.vcpu));

    const LockGuard guard(self.events.lock);
    if (vcpu.virq_port[virq] != 0)
        return fail(XEN_EEXIST);
    request.port = TRY(find_free_port(self));
    open_port(self, request.port,
              {PortState::virq, static_cast<uint8_t>(vcpu.number.raw()), 0, static_cast<uint32_t>(virq)});
    vcpu.virq_port[virq] = static_cast<uint16_t>(request.port);
    return {};
}

Result<> bind_ipi(Partition& self, evtchn_bind_ipi& request)
{
    const Vcpu& vcpu = *TRY(find_vcpu(self, request.vcpu));
    const LockGuard guard(self.events.lock);
    request.port = TRY(find_free_port(self));
    open_port(self, request.port, {PortState::ipi, static_cast<uint8_t>(vcpu.number.raw()), 0, 0});
    return {};
}

Result<> bind_pirq(Partition& self, evtchn_bind_pirq& request)
{
    const LockGuard guard(self.events.lock);
    const uint32_t port = TRY(find_free_port(self));
    TRY_VOID(bind_device_interrupt(self, request.pirq, port, self.vcpus[0].cpu));
    // It may have come already, on another CPU, and waits for the lock.
    open_port(self, port, {PortState::pirq, 0, 0, request.pirq});
    request.port = port;
    return {};
}

Result<> port_status(Partition& self, evtchn_status& request)
{
    TRY_VOID(check_self(self, request.dom));
    const uint32_t port = TRY(check_port(self.events, request.port));
    const EventChannel channel = load_channel(self.events, port);
    request.vcpu = channel.vcpu;
    switch (channel.state) {
    case PortState::closed:
        request.status = EVTCHNSTAT_closed;
        break;
    case PortState::unbound:
        request.status = EVTCHNSTAT_unbound;
        request.u.unbound.dom = channel.domain;
        break;
    case PortState::interdomain:
        request.status = EVTCHNSTAT_interdomain;
        request.u.interdomain.dom = channel.domain;
        request.u.interdomain.port = channel.peer;
        break;
    case PortState::virq:
        request.status = EVTCHNSTAT_virq;
        request.u.virq = channel.peer;
        break;
    case PortState::ipi:
        request.status = EVTCHNSTAT_ipi;
        break;
    case PortState::pirq:
        request.status = EVTCHNSTAT_pirq;
        request.u.pirq = channel.peer;
        break;
    case PortState::core:
        // The core keeps no ports of its own: it gives the guest's number.
        request.status = EVTCHNSTAT_interdomain;
        request.u.interdomain.dom = 0;
        request.u.interdomain.port = port;
        break;
    case PortState::bell:
        request.status = EVTCHNSTAT_interdomain;
        request.u.interdomain.dom = 0;
        request.u.interdomain.port = channel.peer;
        break;
    }
    return {};
}

Result<> bind_vcpu(Partition& self, const evtchn_bind_vcpu& request)
{
    const Vcpu& vcpu = *TRY(find_vcpu(self, request.vcpu));
    const uint32_t port = TRY(check_port(self.events, request.port));
    const LockGuard guard(self.events.lock);
    EventChannel channel = load_channel(self.events, port);
    const bool bound_for_ever = channel.state == PortState::closed || channel.state == PortState::ipi ||
                                (channel.state == PortState::virq && !is_global(channel.peer));
    if (bound_for_ever)
        return fail(XEN_EINVAL);
    channel.vcpu = static_cast<uint8_t>(vcpu.number.raw());
    store_channel(self.events, port, channel);
    if (channel.state == PortState::pirq)
        move_device_interrupt(self, channel.peer, vcpu.cpu);
    return {};
}

Result<> unmask_port(Partition& self, const evtchn_unmask& request)
{
    const uint32_t port = TRY(check_port(self.events, request.port));
    const LockGuard guard(self.events.lock);
    const EventChannel channel = load_channel(self.events, port);
    if (self.events.fifo.in_use.load(std::memory_order_relaxed)) {
        unmask_fifo(self, port, self.vcpus[channel.vcpu]);
        return {};
    }
    const uint32_t word = port / 64;
    const uint64_t bit = uint64_t{1} << (port % 64);
    const uint64_t word_bit = uint64_t{1} << word;
    shared_info_t& shared = *self.shared;
    // In this order: who sets the port pending meanwhile either sees the mask gone or is seen here.
    if ((std::atomic_ref(shared.evtchn_mask[word]).fetch_and(~bit, std::memory_order_seq_cst) & bit) == 0)
        return {};
    if ((std::atomic_ref(shared.evtchn_pending[word]).load(std::memory_order_seq_cst) & bit) == 0)
        return {};
    Vcpu& target = self.vcpus[channel.vcpu];
    std::atomic_ref selector(target.info->evtchn_pending_sel);
    if ((selector.fetch_or(word_bit, std::memory_order_seq_cst) & word_bit) == 0)
        notify_vcpu(target);
    return {};
}

}  // namespace bulkhead
