// SPDX-License-Identifier: BSD-2-Clause
// The domain id that many operations carry, though a partition may name only itself.
#pragma once

#include "core/partition.hpp"
#include "core/result.hpp"

namespace bulkhead {

// XEN_ESRCH: there is no such domain; XEN_EPERM: it is another one (domain 0, the core, included).
inline Result<> check_self(const Partition& self, domid_t domain)
{
    if (domain == DOMID_SELF || DomainId(domain) == self.id)
        return {};
    const bool exists = domain == 0 || find_partition(DomainId(domain)) != nullptr;
    return fail(exists ? XEN_EPERM : XEN_ESRCH);
}

}  // namespace bulkhead
