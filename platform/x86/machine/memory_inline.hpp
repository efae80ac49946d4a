// SPDX-License-Identifier: BSD-2-Clause
// Direct map arithmetic; included by machine/memory.hpp only.
#pragma once

#include "platform/x86/layout.hpp"

namespace bulkhead::machine {

template <class T>
T* physical_pointer(HostPhysical address)
{
    return reinterpret_cast<T*>(layout::direct_map + address.raw());
}

template <class T>
T* frame_pointer(Mfn frame)
{
    return physical_pointer<T>(address_of(frame));
}

inline HostPhysical physical_of(const void* pointer)
{
    return HostPhysical(reinterpret_cast<uint64_t>(pointer) - layout::direct_map);
}

}  // namespace bulkhead::machine
