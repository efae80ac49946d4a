// SPDX-License-Identifier: BSD-2-Clause
// Who owns a frame and how it is used. One entry of 16 bytes for each frame of a PV partition; other
// frames have none. A frame is never writable and a page table (or descriptor page) at once.
#pragma once

#include "core/result.hpp"
#include "core/types.hpp"

#include <atomic>
#include <cstdint>

namespace bulkhead {

enum class FrameType : uint8_t {
    none = 0,        // no typed use
    writable = 1,    // mapped writable somewhere, or held so by the core
    l1 = 2,
    l2 = 3,
    l3 = 4,
    l4 = 5,
    descriptors = 6, // GDT or LDT page
};

// References. Each is atomic and wait-free against other CPUs; none needs a lock, except that types
// l1..l4 are taken and put only under the owner's `pages` lock (core/pv/).
//
// An existence reference keeps a frame from being given to another use by its owner; a typed
// reference includes one. Errors: XEN_EINVAL (no such frame, or not of that owner), XEN_EBUSY (it
// has another type at the moment), XEN_ERANGE (count at its limit).
Result<> get_frame(Mfn frame, DomainId owner);
void put_frame(Mfn frame);
Result<> get_writable_frame(Mfn frame, DomainId owner);
void put_writable_frame(Mfn frame);

// The frame behind a partition's own frame number at start (before the guest changes anything).
[[nodiscard]] Mfn initial_frame(const struct PvMemory& memory, Pfn pfn);

}  // namespace bulkhead
