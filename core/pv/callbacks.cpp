// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_callback_op and HYPERVISOR_set_callbacks: where a PV kernel is entered.
// Source: xen/include/public/callback.h.
#include "core/cpu.hpp"
#include "core/hypercall.hpp"
#include "machine/memory.hpp"
#include "machine/this_cpu.hpp"
#include "platform/x86/layout.hpp"

extern "C" {
#include <xen/callback.h>
}

namespace bulkhead {

namespace {

PvCallback* find_callback(Vcpu& vcpu, uint16_t type)
{
    switch (type) {
    case CALLBACKTYPE_event:
        return &vcpu.pv.event;
    case CALLBACKTYPE_failsafe:
        return &vcpu.pv.failsafe;
    case CALLBACKTYPE_syscall:
        return &vcpu.pv.syscall;
    case CALLBACKTYPE_syscall32:
        return &vcpu.pv.syscall32;
    case CALLBACKTYPE_sysenter:
    case CALLBACKTYPE_sysenter_deprecated:
        return &vcpu.pv.sysenter;
    case CALLBACKTYPE_nmi:
        return &vcpu.pv.nmi;
    default:
        return nullptr;
    }
}

long register_callback(Vcpu& vcpu, const callback_register& request)
{
    PvCallback* callback = find_callback(vcpu, request.type);
    if (callback == nullptr)
        return negative(XEN_ENOSYS);
    if (!layout::is_canonical(request.address))
        return negative(XEN_EINVAL);
    callback->address = request.address;
    callback->masks_events = (request.flags & CALLBACKF_mask_events) != 0;
    if (request.type == CALLBACKTYPE_nmi && vcpu.pv.nmi_pending)
        this_cpu().work.fetch_or(work_fault, std::memory_order_relaxed);
    return 0;
}

// Only the NMI's can be taken back: the others are how the kernel is reached at all.
long unregister_callback(Vcpu& vcpu, const callback_unregister& request)
{
    if (find_callback(vcpu, request.type) == nullptr)
        return negative(XEN_ENOSYS);
    if (request.type != CALLBACKTYPE_nmi)
        return negative(XEN_EINVAL);
    vcpu.pv.nmi = {};
    return 0;
}

}  // namespace

long do_callback_op(Vcpu& vcpu, HypercallArguments& arguments)
{
    const GuestVirtual argument(arguments.value[1]);
    switch (arguments.value[0]) {
    case CALLBACKOP_register: {
        callback_register request;
        if (!machine::read_guest(request, argument))
            return negative(XEN_EFAULT);
        return register_callback(vcpu, request);
    }
    case CALLBACKOP_unregister: {
        callback_unregister request;
        if (!machine::read_guest(request, argument))
            return negative(XEN_EFAULT);
        return unregister_callback(vcpu, request);
    }
    default:
        return negative(XEN_ENOSYS);
    }
}

long do_set_callbacks(Vcpu& vcpu, HypercallArguments& arguments)
{
    const uint16_t types[] = {CALLBACKTYPE_event, CALLBACKTYPE_failsafe, CALLBACKTYPE_syscall};
    for (unsigned i = 0; i < 3; ++i) {
        if (!layout::is_canonical(arguments.value[i]))
            return negative(XEN_EINVAL);
    }
    for (unsigned i = 0; i < 3; ++i)
        find_callback(vcpu, types[i])->address = arguments.value[i];
    return 0;
}

}  // namespace bulkhead
