// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_grant_table_op: a list of records for one sub-operation.
#include "core/grant_operations.hpp"

#include <climits>

extern "C" {
#include <xen/xen.h>
#include <xen/grant_table.h>
}

namespace bulkhead {

long do_grant_table_op(Vcpu& vcpu, HypercallArguments& arguments)
{
    const auto count = static_cast<uint32_t>(arguments.value[2]);
    if (count > INT_MAX)
        return negative(XEN_EINVAL);
    arguments.value[2] = count;
    if (static_cast<uint32_t>(arguments.value[0]) == GNTTABOP_copy) [[likely]]
        return count == 1 ? copy_grant(vcpu, GuestVirtual(arguments.value[1])) : copy_grants(vcpu, arguments);
    switch (static_cast<uint32_t>(arguments.value[0])) {
    case GNTTABOP_map_grant_ref:
        return map_grants(vcpu, arguments);
    case GNTTABOP_unmap_grant_ref:
        return unmap_grants(vcpu, arguments);
    case GNTTABOP_unmap_and_replace:
        return unmap_and_replace_grants(vcpu, arguments);
    case GNTTABOP_setup_table:
        return setup_grant_table(vcpu, arguments);
    case GNTTABOP_query_size:
        return query_grant_size(vcpu, arguments);
    case GNTTABOP_get_version:
        return get_grant_version(vcpu, arguments);
    case GNTTABOP_set_version:
        return set_grant_version(vcpu, arguments);
    case GNTTABOP_get_status_frames:
        return get_grant_status_frames(vcpu, arguments);
    case GNTTABOP_swap_grant_ref:
        return swap_grants(vcpu, arguments);
    case GNTTABOP_transfer:
        return negative(XEN_EOPNOTSUPP);     // a frame belongs to one partition for ever
    case GNTTABOP_cache_flush:
        return negative(XEN_EPERM);          // for those who have devices; none has
    default:
        return negative(XEN_ENOSYS);
    }
}

}  // namespace bulkhead
