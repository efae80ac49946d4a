// SPDX-License-Identifier: BSD-2-Clause
#pragma once

namespace bulkhead {

struct Vcpu;

// Forgets all PV state of the vCPU, FPU and debug registers included: as after a reset. It holds no
// references to frames (reset_memory() has dropped them) and is loaded on no CPU.
void reset_pv_state(Vcpu& vcpu);

}  // namespace bulkhead
