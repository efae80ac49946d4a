// SPDX-License-Identifier: BSD-2-Clause
// The "foreign domain" argument of hypercalls on memory: no partition may name another one there.
#pragma once

#include "core/devices/devices.hpp"
#include "core/frame_references.hpp"
#include "core/partition.hpp"

extern "C" {
#include <xen/xen.h>
}

namespace bulkhead {

// As Xen answers: XEN_ESRCH for nobody, and for oneself by number; XEN_EPERM for everybody else.
[[nodiscard]] inline Errno check_foreign_domain(const Partition& caller, uint32_t domain)
{
    if (domain == DOMID_SELF) [[likely]]
        return frame::ok;
    // Registers of its own devices it may name either way.
    if (domain == DOMID_IO || domain == DOMID_XEN)
        return domain == DOMID_IO && owns_devices(caller) ? frame::ok : XEN_EPERM;
    const DomainId id(static_cast<uint16_t>(domain));
    return id == caller.id || find_partition(id) == nullptr ? XEN_ESRCH : XEN_EPERM;
}

}  // namespace bulkhead
