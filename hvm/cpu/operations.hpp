// SPDX-License-Identifier: BSD-2-Clause
// Between the files of hvm/cpu/.
#pragma once

#include "hvm/cpu/hardware_vcpu.hpp"

namespace bulkhead {

// HardwareOperations, for the vCPU's own CPU.
void run_hardware_vcpu(Vcpu& vcpu, GuestFrame& frame);
void load_hardware_vcpu(Vcpu& vcpu);
void save_hardware_vcpu(Vcpu& vcpu);
// Something waits that ends a HLT or SCHEDOP_block.
[[nodiscard]] bool hardware_must_run(const Vcpu& vcpu);
void raise_callback(Vcpu& vcpu);
// As after INIT; registers (Vcpu::registers) too.
void reset_hardware_vcpu(Vcpu& vcpu);

}  // namespace bulkhead
