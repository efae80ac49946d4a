// SPDX-License-Identifier: BSD-2-Clause
// The one place where a frame becomes a pointer (the direct map), and access to the memory of the
// running guest through its own mappings.
#pragma once

#include "core/types.hpp"

#include <cstddef>
#include <cstdint>

namespace bulkhead::machine {

// All usable RAM is mapped. The caller has checked that the frame is RAM.
template <class T = void>
[[nodiscard]] T* frame_pointer(Mfn frame);
template <class T = void>
[[nodiscard]] T* physical_pointer(HostPhysical address);
// The inverse, for addresses inside the direct map only.
[[nodiscard]] HostPhysical physical_of(const void* pointer);

// Copy to or from the running guest's memory at an address in the page tables that are loaded now.
// False if the range touches the core's slots or any byte cannot be accessed; what was copied
// before the fault stays copied. Never faults, never blocks, touches nothing else.
[[nodiscard]] bool copy_from_guest(void* to, GuestVirtual from, size_t bytes);
[[nodiscard]] bool copy_to_guest(GuestVirtual to, const void* from, size_t bytes);
// Single accesses of 8 bytes, for the hot paths.
[[nodiscard]] bool read_guest_u64(uint64_t& to, GuestVirtual from);
[[nodiscard]] bool write_guest_u64(GuestVirtual to, uint64_t value);

template <class T>
[[nodiscard]] bool read_guest(T& to, GuestVirtual from)
{
    return copy_from_guest(&to, from, sizeof(T));
}
template <class T>
[[nodiscard]] bool write_guest(GuestVirtual to, const T& value)
{
    return copy_to_guest(to, &value, sizeof(T));
}

// Scrubs frames in a row, or copies one; by quadwords.
void clear_frames(void* first, uint64_t frames);
inline void clear_frame(void* frame) { clear_frames(frame, 1); }
void copy_frame(void* to, const void* from);

}  // namespace bulkhead::machine

#include "machine/memory_inline.hpp"
