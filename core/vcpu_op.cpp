// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_vcpu_op: bringing vCPUs up and down, their timers, and where the guest wants to find
// their state. Source: xen/include/public/vcpu.h.
#include "core/cpu.hpp"
#include "core/events.hpp"
#include "core/frames.hpp"
#include "core/hardware.hpp"
#include "core/hypercall.hpp"
#include "core/lifecycle.hpp"
#include "core/partition.hpp"
#include "core/pv/guest_context.hpp"
#include "core/schedule.hpp"
#include "machine/clock.hpp"
#include "machine/interrupts.hpp"
#include "machine/memory.hpp"
#include "machine/nospec.hpp"
#include "platform/x86/layout.hpp"

#include <algorithm>

extern "C" {
#include <xen/sched.h>
#include <xen/vcpu.h>
}

namespace bulkhead {

namespace {

constexpr uint64_t shortest_period_ns = 1'000'000;
constexpr uint64_t longest_period_ns = ~uint64_t{0} >> 2;

bool is_down(const Vcpu& vcpu) { return (vcpu.hold.load(std::memory_order_seq_cst) & hold_down) != 0; }

long up(Vcpu& target)
{
    if (!__atomic_load_n(&target.initialised, __ATOMIC_ACQUIRE))
        return negative(XEN_EINVAL);
    release(target, hold_down);
    return 0;
}

// The last one that goes down takes the partition with it. Two at once both see that.
long down(Vcpu& target)
{
    hold(target, hold_down);
    Partition& partition = *target.partition;
    if (std::all_of(partition.vcpus.begin(), partition.vcpus.end(), is_down))
        shut_down(partition, SHUTDOWN_poweroff);
    return 0;
}

long get_runstate_info(const Vcpu& target, GuestVirtual argument)
{
    return machine::write_guest(argument, runstate_of(target)) ? 0 : negative(XEN_EFAULT);
}

long register_runstate_area(Vcpu& target, GuestVirtual argument)
{
    vcpu_register_runstate_memory_area request;
    if (!machine::read_guest(request, argument) ||
        !layout::guest_range_ok(request.addr.p, sizeof(vcpu_runstate_info_t)))
        return negative(XEN_EFAULT);
    target.time.runstate_area.store(request.addr.p, std::memory_order_relaxed);
    if (request.addr.p != 0)
        (void)machine::write_guest(GuestVirtual(request.addr.p), runstate_of(target));
    return 0;
}

// Written where the vCPU runs: at once for the caller, else when it is next put on its CPU.
long register_time_area(Vcpu& vcpu, Vcpu& target, GuestVirtual argument)
{
    vcpu_register_time_memory_area request;
    if (!machine::read_guest(request, argument) || !layout::guest_range_ok(request.addr.p, sizeof(vcpu_time_info_t)))
        return negative(XEN_EFAULT);
    target.time.time_area.store(request.addr.p, std::memory_order_relaxed);
    if (&vcpu == &target)
        update_time(vcpu);
    else
        target.time.stale.store(true, std::memory_order_relaxed);
    return 0;
}

long set_periodic_timer(Vcpu& target, GuestVirtual argument)
{
    vcpu_set_periodic_timer request;
    if (!machine::read_guest(request, argument))
        return negative(XEN_EFAULT);
    if (request.period_ns < shortest_period_ns || request.period_ns > longest_period_ns)
        return negative(XEN_EINVAL);
    set_periodic(target, request.period_ns);
    return 0;
}

long set_singleshot_timer(Vcpu& vcpu, const Vcpu& target, GuestVirtual argument)
{
    if (&vcpu != &target)
        return negative(XEN_EINVAL);
    vcpu_set_singleshot_timer request;
    if (!machine::read_guest(request, argument))
        return negative(XEN_EFAULT);
    const Nanoseconds deadline(request.timeout_abs_ns);
    if ((request.flags & VCPU_SSHOTTMR_future) != 0 && deadline < machine::now())
        return negative(XEN_ETIME);
    set_singleshot(vcpu, deadline);
    return 0;
}

long stop_singleshot_timer(Vcpu& vcpu, const Vcpu& target)
{
    if (&vcpu != &target)
        return negative(XEN_EINVAL);
    set_singleshot(vcpu, never);
    return 0;
}

// The frame stays writable, and so can never become a page table, until the life ends.
long place_vcpu_info(const Vcpu& vcpu, Vcpu& target, const vcpu_register_vcpu_info& place)
{
    const Partition& partition = *vcpu.partition;
    if (target.info != &partition.shared->vcpu_info[target.number.raw()])
        return negative(XEN_EINVAL);
    if (&vcpu != &target && !is_down(target))
        return negative(XEN_EINVAL);
    const Mfn frame = named_frame(partition, place.mfn);
    if (!get_writable_frame(frame, partition.id).has_value())
        return negative(XEN_EINVAL);
    auto* page = machine::frame_pointer<unsigned char>(frame);
    move_vcpu_info(target, reinterpret_cast<vcpu_info_t*>(page + place.offset));
    return 0;
}

// Once a life, for oneself or a vCPU that is down.
long register_vcpu_info(Vcpu& vcpu, Vcpu& target, GuestVirtual argument)
{
    vcpu_register_vcpu_info request;
    if (!machine::read_guest(request, argument))
        return negative(XEN_EFAULT);
    if (request.offset > page_size - sizeof(vcpu_info_t) || request.offset % alignof(vcpu_info_t) != 0)
        return negative(XEN_ENXIO);
    Spinlock& lock = vcpu.partition->lifecycle.vcpu_lock;
    if (!lock.try_lock())
        return hypercall_continue;
    const long result = place_vcpu_info(vcpu, target, request);
    lock.unlock();
    return result;
}

// Delivered on the way back to the guest, wherever it is.
long send_nmi(Vcpu& target, GuestVirtual argument)
{
    if (argument.raw() != 0)
        return negative(XEN_EINVAL);
    if (__atomic_exchange_n(&target.pv.nmi_pending, true, __ATOMIC_SEQ_CST))
        return 0;
    stop_polling(target);
    release(target, hold_blocked | hold_polling);
    // One that is not on its CPU finds the NMI when it is put there.
    Cpu& cpu = cpu_by_number(target.cpu);
    if (cpu.schedule.running.load(std::memory_order_seq_cst) == &target) {
        cpu.work.fetch_or(work_fault, std::memory_order_release);
        machine::poke(target.cpu);
    }
    return 0;
}

Vcpu* find_vcpu(Partition& partition, uint32_t number)
{
    const size_t count = partition.vcpus.size();
    return number < count ? &partition.vcpus[machine::nospec_index(number, count)] : nullptr;
}

}  // namespace

long do_vcpu_op(Vcpu& vcpu, HypercallArguments& arguments)
{
    Vcpu* found = find_vcpu(*vcpu.partition, static_cast<uint32_t>(arguments.value[1]));
    if (found == nullptr)
        return negative(XEN_ENOENT);
    Vcpu& target = *found;
    const GuestVirtual argument(arguments.value[2]);
    switch (static_cast<uint32_t>(arguments.value[0])) {
    case VCPUOP_initialise: {
        // A hardware vCPU is started by its local APIC; a PV context means nothing to it.
        if (target.hardware != nullptr)
            return negative(XEN_EOPNOTSUPP);
        const Result<> result = initialise_vcpu(vcpu, target, argument);
        const bool again = !result.has_value() && result.error() == XEN_ERESTART;
        return again ? hypercall_continue : to_return_value(result);
    }
    case VCPUOP_up:
        return up(target);
    case VCPUOP_down:
        return down(target);
    case VCPUOP_is_up:
        return is_down(target) ? 0 : 1;
    case VCPUOP_get_runstate_info:
        return get_runstate_info(target, argument);
    case VCPUOP_register_runstate_memory_area:
        return register_runstate_area(target, argument);
    case VCPUOP_set_periodic_timer:
        return set_periodic_timer(target, argument);
    case VCPUOP_stop_periodic_timer:
        set_periodic(target, 0);
        return 0;
    case VCPUOP_set_singleshot_timer:
        return set_singleshot_timer(vcpu, target, argument);
    case VCPUOP_stop_singleshot_timer:
        return stop_singleshot_timer(vcpu, target);
    case VCPUOP_register_vcpu_info:
        return register_vcpu_info(vcpu, target, argument);
    case VCPUOP_send_nmi:
        return send_nmi(target, argument);
    case VCPUOP_get_physid:
        return negative(XEN_EINVAL);       // of pinned vCPUs of a hardware domain only
    case VCPUOP_register_vcpu_time_memory_area:
        return register_time_area(vcpu, target, argument);
    default:
        return negative(XEN_ENOSYS);
    }
}

}  // namespace bulkhead
