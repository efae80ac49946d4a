// SPDX-License-Identifier: BSD-2-Clause
// The calling vCPU is the one that the test has chosen.
#pragma once

namespace bulkhead {

struct VcpuLocal;
extern VcpuLocal* fake_this_vcpu;
[[nodiscard]] inline VcpuLocal& this_vcpu() { return *fake_this_vcpu; }

}  // namespace bulkhead
