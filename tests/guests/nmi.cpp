// SPDX-License-Identifier: BSD-2-Clause
// Claim: VCPUOP_send_nmi leads to the NMI call-back although events are masked; while its handler runs
// another one waits for the iret; without the call-back none is lost.
#include "framework/events.hpp"

extern "C" {
#include <xen/callback.h>
}

namespace {

constexpr long EINVAL = 22;
unsigned depth, deepest, count;

long send_nmi() { return hypercall<__HYPERVISOR_vcpu_op>(VCPUOP_send_nmi, 0, 0); }

void handler(TrapFrame&)
{
    ++count;
    if (++depth > deepest)
        deepest = depth;
    if (count == 1) {
        CHECK_EQUAL(0, send_nmi());
        CHECK_EQUAL(0, send_nmi());
        hypercall<__HYPERVISOR_xen_version>(0);      // another way back to the guest: not now
        CHECK_EQUAL(1, count);
    }
    --depth;
}

}  // namespace

GUEST_TEST(nmi)
{
    install_traps();
    trap_handlers[vector_nmi] = handler;
    register_callback(CALLBACKTYPE_nmi, nmi_entry);
    CHECK_EQUAL(-EINVAL, hypercall<__HYPERVISOR_vcpu_op>(VCPUOP_send_nmi, 0, as_argument(&count)));
    CHECK_EQUAL(0, count);
    mask_events();
    CHECK_EQUAL(0, send_nmi());
    CHECK_EQUAL(2, count);                           // two that were sent together are one
    CHECK_EQUAL(1, deepest);
    CHECK_EQUAL(1, own_info().evtchn_upcall_mask);
    CHECK_EQUAL(0, unregister_callback(CALLBACKTYPE_nmi));
    register_callback(CALLBACKTYPE_nmi, nmi_entry);
    CHECK_EQUAL(0, send_nmi());
    CHECK_EQUAL(3, count);
}
