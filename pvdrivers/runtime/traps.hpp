// SPDX-License-Identifier: BSD-2-Clause
// The runtime's side of <bulkhead/traps.hpp>.
#pragma once

#include <cstdint>

extern "C" {
#include <xen/xen.h>
extern char trap_entries[], event_entry[], failsafe_entry[];
}

namespace bulkhead {

// Start-up: exceptions and call-backs of vCPU 0.
void install_traps();
// The same for a further vCPU, in what starts it.
void describe_traps(vcpu_guest_context_t& context);

}  // namespace bulkhead
