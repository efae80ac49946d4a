// SPDX-License-Identifier: BSD-2-Clause
// Finding what the calling vCPU has of its own: GS points at it. Included by vcpu_local.hpp.
#pragma once

namespace bulkhead {

struct VcpuLocal;

[[nodiscard]] inline VcpuLocal& this_vcpu()
{
    VcpuLocal* self;
    asm("mov %%gs:0, %0" : "=r"(self));
    return *self;
}

}  // namespace bulkhead
