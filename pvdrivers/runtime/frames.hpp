// SPDX-License-Identifier: BSD-2-Clause
// From addresses to pages and frames and back, by the partition's list of frames and the
// hypervisor's table of the other direction.
#pragma once

#include "pvdrivers/runtime/hardware_guest.hpp"
#include "pvdrivers/runtime/layout.hpp"
#include "pvdrivers/runtime/machine_to_physical.hpp"

#include <cstdint>

extern "C" {
#include <xen/xen.h>
}

namespace bulkhead {

extern start_info_t* start_info;
extern shared_info_t* shared_info;

[[nodiscard]] inline void* address_of(Pfn pfn)
{
    return reinterpret_cast<void*>(layout::linear_base + (raw(pfn) << layout::page_shift));
}

// Of an address in the linear range.
[[nodiscard]] inline Pfn pfn_of(const void* address)
{
    return Pfn((reinterpret_cast<uint64_t>(address) - layout::linear_base) >> layout::page_shift);
}

[[nodiscard]] inline Mfn mfn_of(Pfn pfn)
{
    if (hardware_guest != nullptr)
        return Mfn(raw(pfn) + hardware_guest->first_frame);
    return Mfn(reinterpret_cast<const uint64_t*>(start_info->mfn_list)[raw(pfn)]);
}

}  // namespace bulkhead
