// SPDX-License-Identifier: BSD-2-Clause
// Event channels as the rest of the core uses them: making the tables, setting ports pending from
// outside a hypercall, core ports, polling, and what the monitor shows.
#include "core/events.hpp"

#include "core/boot_allocator.hpp"
#include "core/event_table.hpp"

#include <cstring>

namespace bulkhead {

void init_events(std::span<Partition> partitions)
{
    for (Partition& partition : partitions) {
        if (partition.vcpus.empty())
            continue;                                 // left out
        EventTable& table = partition.events;
        table.channels = boot_allocate_array<std::atomic<uint64_t>>(event_ports).data();
        table.count = event_ports;
        table.free.fill(~uint64_t{0});
        table.free[0] &= ~uint64_t{1};                // port 0 means "none"
        init_fifo(partition);
    }
}

void send_virq(Vcpu& vcpu, unsigned virq)
{
    if (virq >= NR_VIRQS)
        return;
    Partition& partition = *vcpu.partition;
    const LockGuard guard(partition.events.lock);
    const uint32_t port = vcpu.virq_port[virq];
    if (port != 0)
        raise_event(partition, port, partition.vcpus[load_channel(partition.events, port).vcpu]);
}

// --- Core ports -------------------------------------------------------------------------------------

namespace {

Result<uint32_t> handler_index(EventTable& table, CorePortHandler handler)
{
    for (uint32_t i = 0; i < table.handler_count; ++i) {
        if (table.handlers[i] == handler)
            return i;
    }
    if (table.handler_count == core_port_handlers)
        return fail(XEN_ENOSPC);
    table.handlers[table.handler_count] = handler;
    return table.handler_count++;
}

}  // namespace

Result<Port> bind_core_port(Partition& partition, Port wanted, CorePortHandler handler)
{
    EventTable& table = partition.events;
    if (wanted.raw() >= table.count)
        return fail(XEN_EINVAL);
    const LockGuard guard(table.lock);
    const uint32_t port = wanted.raw() != 0 ? wanted.raw() : TRY(find_free_port(partition));
    if (load_channel(table, port).state != PortState::closed)
        return fail(XEN_EBUSY);
    const uint32_t index = TRY(handler_index(table, handler));
    open_port(partition, port, {PortState::core, 0, 0, index});
    return Port(port);
}

void notify_core_port(Partition& partition, Port port)
{
    EventTable& table = partition.events;
    if (port.raw() >= table.count)
        return;
    const LockGuard guard(table.lock);
    const EventChannel channel = load_channel(table, port.raw());
    if (channel.state == PortState::core)
        raise_event(partition, port.raw(), partition.vcpus[channel.vcpu]);
}

// --- Polling and wake-ups ---------------------------------------------------------------------------

void start_polling(Vcpu& vcpu, uint32_t port)
{
    vcpu.poll_port.store(port, std::memory_order_relaxed);
    // A full barrier: the caller looks at the pending bits after it. Pairs with raise_event().
    vcpu.partition->events.polling.fetch_or(1u << vcpu.number.raw(), std::memory_order_seq_cst);
}

void stop_polling(Vcpu& vcpu)
{
    vcpu.partition->events.polling.fetch_and(~(1u << vcpu.number.raw()), std::memory_order_relaxed);
}

[[gnu::noinline]] void wake_pollers(Partition& partition, uint32_t port)
{
    uint32_t waiting = partition.events.polling.load(std::memory_order_acquire);
    for (; waiting != 0; waiting &= waiting - 1) {
        Vcpu& vcpu = partition.vcpus[static_cast<unsigned>(std::countr_zero(waiting))];
        const uint32_t wanted = vcpu.poll_port.load(std::memory_order_relaxed);
        if (wanted == port || wanted == poll_several) {
            stop_polling(vcpu);
            release(vcpu, hold_polling);
        }
    }
}

[[gnu::noinline]] void wake_vcpu(Vcpu& target)
{
    stop_polling(target);
    release(target, hold_blocked | hold_polling);
}

[[gnu::noinline]] void poke_vcpu(const Vcpu& target)
{
    // One that its CPU has not chosen sees the flag when it is: it needs no interrupt, and must not be
    // able to cause any to the one that runs there. Pairs with the store of the choice.
    const Cpu& cpu = cpu_by_number(target.cpu);
    if (cpu.schedule.running.load(std::memory_order_seq_cst) == &target)
        machine::poke(target.cpu);
}

void move_vcpu_info(Vcpu& vcpu, vcpu_info_t* to)
{
    const LockGuard guard(vcpu.partition->events.lock);
    std::memcpy(to, vcpu.info, sizeof(*to));
    std::atomic_ref(vcpu.info).store(to, std::memory_order_seq_cst);
    // After the move: whoever set a bit in the old place had set the port's bit before.
    std::atomic_ref(to->evtchn_pending_sel).store(~xen_ulong_t{0}, std::memory_order_relaxed);
    std::atomic_ref(to->evtchn_upcall_pending).store(1, std::memory_order_relaxed);
}

bool is_port_pending(const Partition& partition, uint32_t port)
{
    if (partition.events.fifo.in_use.load(std::memory_order_relaxed)) {
        const EventWord* const word = fifo_word(partition, port);
        return word != nullptr && (word->load(std::memory_order_relaxed) & fifo::pending) != 0;
    }
    const xen_ulong_t word = __atomic_load_n(&partition.shared->evtchn_pending[port / 64], __ATOMIC_RELAXED);
    return (word >> (port % 64) & 1) != 0;
}

static bool is_port_masked(const Partition& partition, uint32_t port)
{
    if (partition.events.fifo.in_use.load(std::memory_order_relaxed)) {
        const EventWord* const word = fifo_word(partition, port);
        return word == nullptr || (word->load(std::memory_order_relaxed) & fifo::masked) != 0;
    }
    return (partition.shared->evtchn_mask[port / 64] >> (port % 64) & 1) != 0;
}

// --- For the monitor --------------------------------------------------------------------------------

PortInfo event_port_info(const Partition& partition, Port port)
{
    if (port.raw() >= partition.events.count)
        return {};
    const EventChannel channel = load_channel(partition.events, port.raw());
    return {
        .state = channel.state,
        .vcpu = channel.vcpu,
        .peer_domain = DomainId(channel.domain),
        .peer = channel.state == PortState::core ? 0 : channel.peer,
        .pending = is_port_pending(partition, port.raw()),
        .masked = is_port_masked(partition, port.raw()),
    };
}

const char* port_state_name(PortState state)
{
    switch (state) {
    case PortState::closed:
        return "closed";
    case PortState::unbound:
        return "unbound";
    case PortState::interdomain:
        return "interdomain";
    case PortState::virq:
        return "virq";
    case PortState::ipi:
        return "ipi";
    case PortState::core:
        return "core";
    case PortState::bell:
        return "bell";
    case PortState::pirq:
        return "pirq";
    }
    return "?";
}

}  // namespace bulkhead
