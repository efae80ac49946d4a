// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_event_channel_op: reads each sub-operation's record from the guest, once, and writes
// back what it returns. EVTCHNOP_send comes first: every notification between CPUs, front ends and
// back ends goes through it.
#include "core/domain_argument.hpp"
#include "core/event_operations.hpp"
#include "core/event_table.hpp"
#include "core/shared_memory.hpp"
#include "core/hypercall.hpp"
#include "machine/guest_inline.hpp"
#include "machine/memory.hpp"

namespace bulkhead {

namespace {

// Only the receiver's lock is needed: if it still names the sender's port as its peer, the connection
// stands, whatever the sender's other vCPUs do to their end.
[[gnu::noinline]] long send_to_peer(const Partition& self, uint32_t port, EventChannel channel)
{
    Partition* const peer = find_partition(DomainId(channel.domain));
    if (peer == nullptr)
        return negative(XEN_EINVAL);
    const LockGuard guard(peer->events.lock);
    const EventChannel there = load_channel(peer->events, channel.peer);
    if (there.state == PortState::interdomain && DomainId(there.domain) == self.id && there.peer == port)
        raise_event(*peer, channel.peer, peer->vcpus[there.vcpu]);
    return 0;
}

// A vCPU of the partition sends to another one of it, or to itself.
[[gnu::noinline]] long send_fifo(Partition& self, uint32_t port, EventChannel channel)
{
    const LockGuard guard(self.events.lock);
    raise_event(self, port, self.vcpus[channel.vcpu]);
    return 0;
}

[[gnu::noinline]] long send_elsewhere(Partition& self, uint32_t port, EventChannel channel)
{
    switch (channel.state) {
    case PortState::interdomain:
        return send_to_peer(self, port, channel);
    case PortState::core:
        self.events.handlers[channel.peer](self, Port(port));
        return 0;
    case PortState::bell:
        ring_bell(self, channel.peer);
        return 0;
    case PortState::unbound:
        return 0;                                     // who binds later is told then
    default:
        return negative(XEN_EINVAL);
    }
}

[[gnu::always_inline]] inline long send(Vcpu& vcpu, GuestVirtual argument)
{
    uint32_t wanted;                                  // evtchn_send has nothing but the port
    static_assert(sizeof(evtchn_send) == sizeof(wanted));
    if (!machine::load_guest_u32(wanted, argument)) [[unlikely]]
        return negative(XEN_EFAULT);
    Partition& self = *vcpu.partition;
    if (wanted >= self.events.count) [[unlikely]]
        return negative(XEN_EINVAL);
    const auto port = static_cast<uint32_t>(machine::nospec_index(wanted, self.events.count));
    const EventChannel channel = load_channel(self.events, port);
    if (channel.state != PortState::ipi) [[unlikely]]
        return send_elsewhere(self, port, channel);
    if (self.events.fifo.in_use.load(std::memory_order_relaxed)) [[unlikely]]
        return send_fifo(self, port, channel);
    raise_two_level(self, port, self.vcpus[channel.vcpu]);
    return 0;
}

template <class Record>
long run(Vcpu& vcpu, GuestVirtual argument, Result<> (*operation)(Partition&, const Record&))
{
    Record record;
    if (!machine::read_guest(record, argument))
        return negative(XEN_EFAULT);
    return to_return_value(operation(*vcpu.partition, record));
}

// The same for records that carry an answer.
template <class Record>
long run(Vcpu& vcpu, GuestVirtual argument, Result<> (*operation)(Partition&, Record&))
{
    Record record;
    if (!machine::read_guest(record, argument))
        return negative(XEN_EFAULT);
    if (const Result<> result = operation(*vcpu.partition, record); !result.has_value())
        return negative(result.error());
    return machine::write_guest(argument, record) ? 0 : negative(XEN_EFAULT);
}

long or_continue(long result) { return result == negative(XEN_ERESTART) ? hypercall_continue : result; }

long close(Vcpu& vcpu, GuestVirtual argument)
{
    evtchn_close request;
    if (!machine::read_guest(request, argument))
        return negative(XEN_EFAULT);
    const Result<uint32_t> port = check_port(vcpu.partition->events, request.port);
    if (!port.has_value())
        return negative(port.error());
    switch (close_port(*vcpu.partition, *port)) {
    case CloseResult::closed:
        return 0;
    case CloseResult::not_open:
        return negative(XEN_EINVAL);
    case CloseResult::again:
        break;
    }
    return hypercall_continue;
}

long reset(Vcpu& vcpu, GuestVirtual argument)
{
    evtchn_reset request;
    if (!machine::read_guest(request, argument))
        return negative(XEN_EFAULT);
    Partition& self = *vcpu.partition;
    if (const Result<> own = check_self(self, request.dom); !own.has_value())
        return negative(own.error());
    if (!close_some_ports(self))
        return hypercall_continue;
    drop_fifo(self);
    return 0;
}

[[gnu::noinline]] long other_operation(Vcpu& vcpu, uint32_t operation, GuestVirtual argument)
{
    switch (operation) {
    case EVTCHNOP_alloc_unbound:
        return run(vcpu, argument, alloc_unbound);
    case EVTCHNOP_bind_interdomain:
        return run(vcpu, argument, bind_interdomain);
    case EVTCHNOP_bind_virq:
        return run(vcpu, argument, bind_virq);
    case EVTCHNOP_bind_ipi:
        return run(vcpu, argument, bind_ipi);
    case EVTCHNOP_bind_pirq:
        return run(vcpu, argument, bind_pirq);
    case EVTCHNOP_close:
        return close(vcpu, argument);
    case EVTCHNOP_status:
        return run(vcpu, argument, port_status);
    case EVTCHNOP_bind_vcpu:
        return run(vcpu, argument, bind_vcpu);
    case EVTCHNOP_unmask:
        return run(vcpu, argument, unmask_port);
    case EVTCHNOP_reset:
        return reset(vcpu, argument);
    case EVTCHNOP_init_control:
        return run(vcpu, argument, init_fifo_control);
    case EVTCHNOP_expand_array:
        return or_continue(run(vcpu, argument, expand_fifo_array));
    case EVTCHNOP_set_priority:
        return run(vcpu, argument, set_fifo_priority);
    default:
        return negative(XEN_ENOSYS);
    }
}

}  // namespace

long do_event_channel_op(Vcpu& vcpu, HypercallArguments& arguments)
{
    const auto operation = static_cast<uint32_t>(arguments.value[0]);
    const GuestVirtual argument(arguments.value[1]);
    if (operation == EVTCHNOP_send) [[likely]]
        return send(vcpu, argument);
    return other_operation(vcpu, operation, argument);
}

}  // namespace bulkhead
