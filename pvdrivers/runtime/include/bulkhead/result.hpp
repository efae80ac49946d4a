// SPDX-License-Identifier: BSD-2-Clause
// A failure of the runtime is a value: what the hypervisor answered, as the ABI's errno.
#pragma once

#include <expected>

extern "C" {
#include <xen/errno.h>
}

namespace bulkhead {

// XEN_EINVAL and so on. Source: xen/include/public/errno.h.
using Errno = ::xen_errno;

template <class T = void>
using Result = std::expected<T, Errno>;

[[nodiscard]] constexpr std::unexpected<Errno> failure(Errno error) { return std::unexpected<Errno>(error); }

// "EINVAL" for XEN_EINVAL; "an unknown error" for what has no name here. Never null.
[[nodiscard]] const char* name_of(Errno error);

}  // namespace bulkhead
