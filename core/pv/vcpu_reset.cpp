// SPDX-License-Identifier: BSD-2-Clause
// A PV vCPU as it is before its first instruction of a life.
#include "core/pv/control_bits.hpp"
#include "core/vcpu.hpp"
#include "core/pv/vcpu_reset.hpp"
#include "machine/fpu.hpp"

#include <new>

namespace bulkhead {

void reset_pv_state(Vcpu& vcpu)
{
    constexpr uint64_t dr6_after_reset = 0xFFFF0FF0;
    constexpr uint64_t dr7_after_reset = 0x400;
    // Where the copies of its top-level tables are it keeps for good; of what they are it forgets.
    const auto views = vcpu.pv.views;
    new (&vcpu.pv) PvVcpuState{};
    for (size_t i = 0; i < views.size(); ++i)
        vcpu.pv.views[i].copy = views[i].copy;
    if (machine::fpu_components() != 0) {
        // Stock kernels look whether OSXSAVE is on already, and else do without XSAVE.
        vcpu.pv.xcr0 = 1;
        vcpu.pv.cr4 = cr4::osxsave;
    }
    vcpu.pv.debug[6] = dr6_after_reset;
    vcpu.pv.debug[7] = dr7_after_reset;
    machine::init_fpu_area(vcpu.fpu_area);
}

}  // namespace bulkhead
