// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_sched_op and its form before Xen 3.0.2: what a guest says about when it wants to run.
// Source: xen/include/public/sched.h.
#include "core/events.hpp"
#include "core/hardware.hpp"
#include "core/hypercall.hpp"
#include "core/lifecycle.hpp"
#include "core/partition.hpp"
#include "core/schedule.hpp"
#include "machine/memory.hpp"
#include "machine/nospec.hpp"

#include <array>
#include <optional>

extern "C" {
#include <xen/sched.h>
}

namespace bulkhead {

namespace {

constexpr uint32_t poll_ports_at_most = 128;

// The guest's own byte; read and written once.
uint8_t load(const uint8_t& byte) { return __atomic_load_n(&byte, __ATOMIC_RELAXED); }

bool event_waits(const Vcpu& vcpu)
{
    return load(vcpu.info->evtchn_upcall_pending) != 0 && load(vcpu.info->evtchn_upcall_mask) == 0;
}

bool nmi_waits(const Vcpu& vcpu) { return vcpu.pv.nmi_pending && !vcpu.pv.nmi_masked; }

bool must_run(const Vcpu& vcpu)
{
    if (vcpu.hardware != nullptr)
        return hardware_operations.must_run(vcpu);
    return event_waits(vcpu) || nmi_waits(vcpu);
}

long block(Vcpu& vcpu)
{
    __atomic_store_n(&vcpu.info->evtchn_upcall_mask, uint8_t{0}, __ATOMIC_RELAXED);
    if (must_run(vcpu))
        return 0;
    hold(vcpu, hold_blocked);
    // An event that came in between has found nothing to release.
    if (must_run(vcpu))
        release(vcpu, hold_blocked);
    return 0;
}

// The guest writes these words too, at any time.
bool is_pending(const Partition& partition, uint32_t checked_port)
{
    return is_port_pending(partition, static_cast<uint32_t>(machine::nospec_index(checked_port, event_ports)));
}

using Ports = std::array<evtchn_port_t, poll_ports_at_most>;

bool any_pending(const Partition& partition, const Ports& ports, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        if (is_pending(partition, ports[i]))
            return true;
    }
    return false;
}

Result<> read_ports(const Vcpu& vcpu, const sched_poll& request, Ports& ports)
{
    const GuestVirtual list(reinterpret_cast<uint64_t>(request.ports.p));
    if (!machine::copy_from_guest(ports.data(), list, request.nr_ports * sizeof(evtchn_port_t)))
        return fail(XEN_EFAULT);
    for (uint32_t i = 0; i < request.nr_ports; ++i) {
        if (ports[i] >= vcpu.partition->events.count)
            return fail(XEN_EINVAL);
    }
    return {};
}

void end_poll(Vcpu& vcpu)
{
    stop_polling(vcpu);
    release(vcpu, hold_polling);
}

long poll(Vcpu& vcpu, GuestVirtual argument)
{
    sched_poll request;
    if (!machine::read_guest(request, argument))
        return negative(XEN_EFAULT);
    if (request.nr_ports > poll_ports_at_most)
        return negative(XEN_EINVAL);
    Ports ports;
    if (const Result<> result = read_ports(vcpu, request, ports); !result.has_value())
        return negative(result.error());
    const Partition& partition = *vcpu.partition;
    if (must_run(vcpu) || any_pending(partition, ports, request.nr_ports))
        return 0;
    start_polling(vcpu, request.nr_ports == 1 ? ports[0] : poll_several);
    hold(vcpu, hold_polling);
    // An event that came before the hold has found nothing to release.
    if (must_run(vcpu) || any_pending(partition, ports, request.nr_ports)) {
        end_poll(vcpu);
        return 0;
    }
    vcpu.time.poll_deadline = request.timeout != 0 ? Nanoseconds(request.timeout) : never;
    timers_changed(vcpu);
    return 0;
}

// There is nowhere to suspend to. The guest is told what the ABI calls "cancelled" and goes on.
long refuse_suspend(Partition& partition)
{
    ++partition.health.suspends_refused;
    return 1;
}

long shut_down_self(Vcpu& vcpu, uint32_t reason)
{
    Partition& partition = *vcpu.partition;
    if (reason == SHUTDOWN_suspend)
        return refuse_suspend(partition);
    shut_down(partition, reason);
    return 0;
}

std::optional<uint32_t> read_reason(GuestVirtual argument)
{
    sched_shutdown request;
    if (!machine::read_guest(request, argument))
        return std::nullopt;
    return request.reason;
}

// Ending others is what a control domain does, and none has that right.
long remote_shutdown(GuestVirtual argument)
{
    sched_remote_shutdown request;
    if (!machine::read_guest(request, argument))
        return negative(XEN_EFAULT);
    return negative(find_partition(DomainId(request.domain_id)) == nullptr ? XEN_ESRCH : XEN_EPERM);
}

long watchdog(Partition& partition, GuestVirtual argument)
{
    sched_watchdog request;
    if (!machine::read_guest(request, argument))
        return negative(XEN_EFAULT);
    return set_watchdog(partition, request.id, request.timeout);
}

long yield(Vcpu& vcpu)
{
    yield_turn(vcpu);
    return 0;
}

// Apart, so that the short ones do not pay for its stack frame.
[[gnu::noinline]] long do_other(Vcpu& vcpu, uint32_t command, GuestVirtual argument)
{
    switch (command) {
    case SCHEDOP_shutdown: {
        const std::optional<uint32_t> reason = read_reason(argument);
        return reason ? shut_down_self(vcpu, *reason) : negative(XEN_EFAULT);
    }
    case SCHEDOP_poll:
        return poll(vcpu, argument);
    case SCHEDOP_remote_shutdown:
        return remote_shutdown(argument);
    case SCHEDOP_shutdown_code: {
        const std::optional<uint32_t> reason = read_reason(argument);
        if (!reason)
            return negative(XEN_EFAULT);
        vcpu.partition->lifecycle.latched_reason.store(*reason, std::memory_order_relaxed);
        return 0;
    }
    case SCHEDOP_watchdog:
        return watchdog(*vcpu.partition, argument);
    case SCHEDOP_pin_override:
        return negative(XEN_EPERM);
    default:
        return negative(XEN_ENOSYS);
    }
}

}  // namespace

long do_sched_op(Vcpu& vcpu, HypercallArguments& arguments)
{
    const auto command = static_cast<uint32_t>(arguments.value[0]);
    if (command == SCHEDOP_yield)
        return yield(vcpu);
    if (command == SCHEDOP_block)
        return block(vcpu);
    return do_other(vcpu, command, GuestVirtual(arguments.value[1]));
}

long do_sched_op_compat(Vcpu& vcpu, HypercallArguments& arguments)
{
    switch (static_cast<uint32_t>(arguments.value[0])) {
    case SCHEDOP_yield:
        return yield(vcpu);
    case SCHEDOP_block:
        return block(vcpu);
    case SCHEDOP_shutdown:
        return shut_down_self(vcpu, static_cast<uint32_t>(arguments.value[1]));
    default:
        return negative(XEN_ENOSYS);
    }
}

}  // namespace bulkhead
