// SPDX-License-Identifier: BSD-2-Clause
// Ports in the 2-level form. Upcalls stay masked all the time but in SCHEDOP_block, which unmasks them
// itself, so that a notification between the last look and the block is not lost.
// Source: xen/include/public/event_channel.h; xen.h, struct shared_info.
#include "pvdrivers/runtime/events.hpp"

#include "pvdrivers/abi/hypercall.hpp"
#include "pvdrivers/runtime/frames.hpp"

#include <array>
#include <atomic>
#include <bit>

extern "C" {
#include <xen/event_channel.h>
#include <xen/sched.h>
}

namespace bulkhead {

namespace {

constexpr unsigned word_bits = 64;
constexpr unsigned words = most_ports / word_bits;

std::array<EventHandler, most_ports> handlers;
// Which ports are each vCPU's: the words of pending bits are everybody's.
std::atomic<uint64_t> bound[most_vcpus][words];

struct Bit {
    unsigned word;
    uint64_t mask;
    explicit Bit(Port port)
        : word(static_cast<uint32_t>(port) / word_bits),
          mask(uint64_t{1} << (static_cast<uint32_t>(port) % word_bits))
    {
    }
};

std::atomic_ref<unsigned long> pending_word(unsigned word) { return std::atomic_ref(shared_info->evtchn_pending[word]); }
std::atomic_ref<unsigned long> mask_word(unsigned word) { return std::atomic_ref(shared_info->evtchn_mask[word]); }

template <class Request>
Result<> event_operation(unsigned command, Request& request)
{
    const long result = hypercall<__HYPERVISOR_event_channel_op>(command, as_argument(&request));
    if (result != 0)
        return failure(static_cast<Errno>(-result));
    return {};
}

void bind_bit(Port port, VcpuNumber vcpu)
{
    const Bit bit(port);
    for (auto& row : bound)
        row[bit.word].fetch_and(~bit.mask, std::memory_order_relaxed);
    bound[static_cast<uint32_t>(vcpu)][bit.word].fetch_or(bit.mask, std::memory_order_release);
}

void close_port(uint32_t port)
{
    evtchn_close_t close = {port};
    (void)event_operation(EVTCHNOP_close, close);
}

Result<Port> attach(uint32_t number, VcpuNumber vcpu, EventHandler handler)
{
    const auto port = Port(number);
    if (number >= most_ports) {
        close_port(number);
        return failure(XEN_ENOSPC);
    }
    handlers[number] = handler;
    bind_bit(port, vcpu);
    unmask(port);
    return port;
}

// New ports belong to vCPU 0 for the hypervisor.
Result<Port> attach_here(uint32_t number, EventHandler handler)
{
    const VcpuNumber here = current_vcpu();
    if (here != VcpuNumber{0}) {
        evtchn_bind_vcpu_t bind = {number, static_cast<uint32_t>(here)};
        if (auto done = event_operation(EVTCHNOP_bind_vcpu, bind); !done) {
            close_port(number);
            return failure(done.error());
        }
    }
    return attach(number, here, handler);
}

}  // namespace

void init_events()
{
    for (auto& word : shared_info->evtchn_mask)
        std::atomic_ref(word).store(~0ul, std::memory_order_relaxed);
}

Result<Port> bind_interdomain(Domain remote, uint32_t remote_port, EventHandler handler)
{
    evtchn_bind_interdomain_t bind = {static_cast<domid_t>(remote), remote_port, 0};
    if (auto done = event_operation(EVTCHNOP_bind_interdomain, bind); !done)
        return failure(done.error());
    return attach_here(bind.local_port, handler);
}

Result<Port> bind_virq(uint32_t virq, EventHandler handler)
{
    evtchn_bind_virq_t bind = {virq, static_cast<uint32_t>(current_vcpu()), 0};
    if (auto done = event_operation(EVTCHNOP_bind_virq, bind); !done)
        return failure(done.error());
    return attach(bind.port, current_vcpu(), handler);
}

Result<Port> bind_ipi(VcpuNumber vcpu, EventHandler handler)
{
    evtchn_bind_ipi_t bind = {static_cast<uint32_t>(vcpu), 0};
    if (auto done = event_operation(EVTCHNOP_bind_ipi, bind); !done)
        return failure(done.error());
    return attach(bind.port, vcpu, handler);
}

Result<Port> bind_pirq(uint32_t pirq, bool line, EventHandler handler)
{
    evtchn_bind_pirq_t bind = {pirq, line ? BIND_PIRQ__WILL_SHARE : 0u, 0};
    if (auto done = event_operation(EVTCHNOP_bind_pirq, bind); !done)
        return failure(done.error());
    return attach_here(bind.port, handler);
}

Result<Port> allocate_unbound(Domain remote, EventHandler handler)
{
    evtchn_alloc_unbound_t allocate = {DOMID_SELF, static_cast<domid_t>(remote), 0};
    if (auto done = event_operation(EVTCHNOP_alloc_unbound, allocate); !done)
        return failure(done.error());
    return attach_here(allocate.port, handler);
}

Result<> adopt_port(Port port, EventHandler handler)
{
    const auto number = static_cast<uint32_t>(port);
    if (number == 0 || number >= most_ports)
        return failure(XEN_EINVAL);
    handlers[number] = handler;
    bind_bit(port, VcpuNumber{0});
    if (current_vcpu() != VcpuNumber{0}) {
        if (auto moved = move_port(port, current_vcpu()); !moved)
            return moved;
    }
    unmask(port);
    return {};
}

Result<> unbind(Port port)
{
    const auto number = static_cast<uint32_t>(port);
    if (number >= most_ports)
        return failure(XEN_EINVAL);
    mask(port);
    handlers[number] = {};
    const Bit bit(port);
    for (auto& row : bound)
        row[bit.word].fetch_and(~bit.mask, std::memory_order_relaxed);
    evtchn_close_t close = {number};
    auto done = event_operation(EVTCHNOP_close, close);
    take_pending(port);
    return done;
}

Result<> move_port(Port port, VcpuNumber vcpu)
{
    evtchn_bind_vcpu_t bind = {static_cast<uint32_t>(port), static_cast<uint32_t>(vcpu)};
    if (bind.port >= most_ports || bind.vcpu >= most_vcpus)
        return failure(XEN_EINVAL);
    mask(port);
    auto done = event_operation(EVTCHNOP_bind_vcpu, bind);
    if (done)
        bind_bit(port, vcpu);
    unmask(port);
    return done;
}

Result<> notify(Port port)
{
    evtchn_send_t send = {static_cast<uint32_t>(port)};
    return event_operation(EVTCHNOP_send, send);
}

void mask(Port port)
{
    const Bit bit(port);
    mask_word(bit.word).fetch_or(bit.mask, std::memory_order_acq_rel);
}

void unmask(Port port)
{
    // By hypercall, so that a notification that has come meanwhile reaches the port's vCPU.
    evtchn_unmask_t request = {static_cast<uint32_t>(port)};
    (void)event_operation(EVTCHNOP_unmask, request);
}

bool is_pending(Port port)
{
    const Bit bit(port);
    return (pending_word(bit.word).load(std::memory_order_acquire) & bit.mask) != 0;
}

bool take_pending(Port port)
{
    const Bit bit(port);
    return (pending_word(bit.word).fetch_and(~bit.mask, std::memory_order_acq_rel) & bit.mask) != 0;
}

// --- Handlers ---------------------------------------------------------------------

namespace {

size_t run_handler(VcpuLocal& vcpu, Port port)
{
    if (!take_pending(port))
        return 0;
    if (port == vcpu.timer_port) {
        vcpu.timer_came = true;             // timers are looked at in any case
        return 0;
    }
    const EventHandler handler = handlers[static_cast<uint32_t>(port)];
    if (handler.function == nullptr)
        return 1;                           // somebody waits for it to come, no more
    handler.function(handler.context, port);
    return 1;
}

size_t run_word(VcpuLocal& vcpu, unsigned word)
{
    size_t ran = 0;
    uint64_t bits = pending_word(word).load(std::memory_order_acquire) &
                    ~mask_word(word).load(std::memory_order_relaxed) &
                    bound[static_cast<uint32_t>(vcpu.number)][word].load(std::memory_order_acquire);
    for (; bits != 0; bits &= bits - 1)
        ran += run_handler(vcpu, Port(word * word_bits + static_cast<uint32_t>(std::countr_zero(bits))));
    return ran;
}

void block(vcpu_info_t& info)
{
    if (hardware_guest != nullptr)
        return hardware_guest->wait();
    hypercall<__HYPERVISOR_sched_op>(SCHEDOP_block);
    // Woken without an upcall: nothing may come until the next block.
    std::atomic_ref(info.evtchn_upcall_mask).store(1, std::memory_order_relaxed);
}

}  // namespace

size_t dispatch_events()
{
    VcpuLocal& vcpu = this_vcpu();
    vcpu_info_t& info = *vcpu.info;
    size_t ran = 0;
    if (std::atomic_ref(info.evtchn_upcall_pending).exchange(0, std::memory_order_acq_rel) != 0) {
        uint64_t selected = std::atomic_ref(info.evtchn_pending_sel).exchange(0, std::memory_order_acq_rel);
        for (; selected != 0; selected &= selected - 1)
            if (const auto word = static_cast<unsigned>(std::countr_zero(selected)); word < words)
                ran += run_word(vcpu, word);
    }
    return ran + run_due_timers(vcpu);
}

size_t wait()
{
    // What is pending, a timer's event too, says so here; blocking first saves a look at nothing.
    vcpu_info_t& info = *this_vcpu().info;
    for (;;) {
        if (std::atomic_ref(info.evtchn_upcall_pending).load(std::memory_order_acquire) == 0)
            block(info);
        if (const size_t ran = dispatch_events(); ran != 0)
            return ran;
    }
}

size_t wait_until(Time deadline)
{
    // The timer's own call is no news to the caller.
    Timer timer([](void*) {}, nullptr);
    timer.start(deadline);
    const size_t ran = wait();
    return timer.running() ? ran : ran - 1;
}

}  // namespace bulkhead
