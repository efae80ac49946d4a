// SPDX-License-Identifier: BSD-2-Clause
// The names of the ABI's errnos. Source: xen/include/public/errno.h.
#include <bulkhead/result.hpp>

namespace bulkhead {

const char* name_of(Errno error)
{
    switch (error) {
    case XEN_EPERM: return "EPERM";
    case XEN_ENOENT: return "ENOENT";
    case XEN_ESRCH: return "ESRCH";
    case XEN_E2BIG: return "E2BIG";
    case XEN_EAGAIN: return "EAGAIN";
    case XEN_ENOMEM: return "ENOMEM";
    case XEN_EACCES: return "EACCES";
    case XEN_EFAULT: return "EFAULT";
    case XEN_EBUSY: return "EBUSY";
    case XEN_EEXIST: return "EEXIST";
    case XEN_EINVAL: return "EINVAL";
    case XEN_ENOSPC: return "ENOSPC";
    case XEN_ENOSYS: return "ENOSYS";
    case XEN_EIO: return "EIO";
    case XEN_ENODEV: return "ENODEV";
    case XEN_EISDIR: return "EISDIR";
    case XEN_EROFS: return "EROFS";
    case XEN_ENOTEMPTY: return "ENOTEMPTY";
    case XEN_EISCONN: return "EISCONN";
    case XEN_EOPNOTSUPP: return "EOPNOTSUPP";
    case XEN_ETIMEDOUT: return "ETIMEDOUT";
    default: return "an unknown error";
    }
}

}  // namespace bulkhead
