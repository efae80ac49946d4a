// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_set_segment_base, and the bases for the MSR policy.
// Source: xen/include/public/arch-x86/xen-x86_64.h, "HYPERVISOR_set_segment_base".
#include "core/pv/segments.hpp"

#include "core/hypercall.hpp"
#include "machine/registers.hpp"
#include "platform/x86/layout.hpp"

extern "C" {
#include <xen/xen.h>
}

namespace bulkhead {

uint64_t read_fs_base(const Vcpu&) { return machine::read_fs_base(); }
uint64_t read_gs_base(const Vcpu&) { return machine::read_gs_base(); }
uint64_t read_gs_base_other(const Vcpu&) { return machine::read_kernel_gs_base(); }

bool write_fs_base(Vcpu&, uint64_t base)
{
    if (!layout::is_canonical(base))
        return false;
    machine::write_fs_base(base);
    return true;
}

bool write_gs_base(Vcpu&, uint64_t base)
{
    if (!layout::is_canonical(base))
        return false;
    machine::write_gs_base(base);
    return true;
}

bool write_gs_base_other(Vcpu&, uint64_t base)
{
    if (!layout::is_canonical(base))
        return false;
    machine::write_kernel_gs_base(base);
    return true;
}

long do_set_segment_base(Vcpu& vcpu, HypercallArguments& arguments)
{
    const uint64_t base = arguments.value[1];
    const auto which = static_cast<uint32_t>(arguments.value[0]);
    bool ok = false;
    switch (which) {
    case SEGBASE_FS:
        ok = write_fs_base(vcpu, base);
        break;
    case SEGBASE_GS_USER:
        ok = write_gs_base_other(vcpu, base);
        break;
    case SEGBASE_GS_KERNEL:
        ok = write_gs_base(vcpu, base);
        break;
    case SEGBASE_GS_USER_SEL:
        // A selector that cannot be loaded becomes null, and that is no error: stock kernels load
        // whatever a process last had there.
        (void)machine::load_user_gs(static_cast<uint16_t>(base));
        return 0;
    default:
        break;
    }
    return ok ? 0 : negative(XEN_EINVAL);
}

}  // namespace bulkhead
