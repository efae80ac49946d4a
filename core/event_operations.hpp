// SPDX-License-Identifier: BSD-2-Clause
// The sub-operations of EVENT_CHANNEL_OP, each on its ABI record as read from the guest, once.
// Errors are those of Xen for the same mistake. Source: xen/include/public/event_channel.h.
#pragma once

#include "core/partition.hpp"
#include "core/result.hpp"

extern "C" {
#include <xen/event_channel.h>
}

namespace bulkhead {

Result<> alloc_unbound(Partition& self, evtchn_alloc_unbound& request);
Result<> bind_interdomain(Partition& self, evtchn_bind_interdomain& request);
Result<> bind_virq(Partition& self, evtchn_bind_virq& request);
Result<> bind_ipi(Partition& self, evtchn_bind_ipi& request);
Result<> bind_pirq(Partition& self, evtchn_bind_pirq& request);
Result<> port_status(Partition& self, evtchn_status& request);
Result<> bind_vcpu(Partition& self, const evtchn_bind_vcpu& request);
Result<> unmask_port(Partition& self, const evtchn_unmask& request);

}  // namespace bulkhead
