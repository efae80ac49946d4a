// SPDX-License-Identifier: BSD-2-Clause
// The hypervisor's table from machine frames to pages. Included by frames.hpp.
#pragma once

#include "pvdrivers/runtime/hardware_guest.hpp"
#include "pvdrivers/runtime/layout.hpp"

extern "C" {
#include <xen/xen.h>
}

namespace bulkhead {

[[nodiscard]] inline Pfn pfn_of(Mfn mfn)
{
    if (hardware_guest != nullptr)
        return Pfn(raw(mfn) - hardware_guest->first_frame);
    return Pfn(reinterpret_cast<const uint64_t*>(__MACH2PHYS_VIRT_START)[raw(mfn)]);
}

}  // namespace bulkhead
