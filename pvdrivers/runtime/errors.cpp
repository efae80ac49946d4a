// SPDX-License-Identifier: BSD-2-Clause
// The names of the ABI's errnos. Source: xen/include/public/errno.h.
#include <bulkhead/result.hpp>

#include <cstdint>

namespace bulkhead {

namespace {

// A switch over them becomes a table of as many pointers as the highest has.
struct Named {
    uint8_t error;
    char name[11];
};
constexpr Named known[] = {
    {XEN_EPERM, "EPERM"}, {XEN_ENOENT, "ENOENT"}, {XEN_ESRCH, "ESRCH"}, {XEN_E2BIG, "E2BIG"},
    {XEN_EAGAIN, "EAGAIN"}, {XEN_ENOMEM, "ENOMEM"}, {XEN_EACCES, "EACCES"}, {XEN_EFAULT, "EFAULT"},
    {XEN_EBUSY, "EBUSY"}, {XEN_EEXIST, "EEXIST"}, {XEN_EINVAL, "EINVAL"}, {XEN_ENOSPC, "ENOSPC"},
    {XEN_ENOSYS, "ENOSYS"}, {XEN_EIO, "EIO"}, {XEN_ENODEV, "ENODEV"}, {XEN_EISDIR, "EISDIR"},
    {XEN_EROFS, "EROFS"}, {XEN_ENOTEMPTY, "ENOTEMPTY"}, {XEN_EISCONN, "EISCONN"},
    {XEN_EOPNOTSUPP, "EOPNOTSUPP"}, {XEN_ETIMEDOUT, "ETIMEDOUT"},
};

}  // namespace

const char* name_of(Errno error)
{
    for (const Named& each : known) {
        if (each.error == error)
            return each.name;
    }
    return "an unknown error";
}

}  // namespace bulkhead
