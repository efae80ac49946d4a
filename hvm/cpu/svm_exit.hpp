// SPDX-License-Identifier: BSD-2-Clause
// What AMD-V says of an exit, in the terms of hardware_vcpu.hpp: the exits that svm.cpp does not decode by itself
// because they are rare. Own CPU, right after the exit.
#pragma once

#include "hvm/cpu/hardware_vcpu.hpp"
#include "hvm/cpu/svm_control.hpp"

namespace bulkhead::svm {

// What the exit interrupted is delivered again, unless it came from an INT instruction, which runs
// again by itself. Those of INT3 and INTO say that they are exceptions.
void keep_interrupted(Vmcb& block, Injection& next);

// ExitReason::nothing: there is nothing to do any more.
[[nodiscard]] Exit decode_rare(Vcpu& vcpu, GuestFrame& frame, Vmcb& block);

}  // namespace bulkhead::svm
