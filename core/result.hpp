// SPDX-License-Identifier: BSD-2-Clause
// A failure is a value. What a guest caused carries the errno that the Xen ABI states and goes back
// to it as the negative number; what cannot happen is a panic, never a Result.
#pragma once

#include <cstdint>
#include <expected>
#include <utility>

extern "C" {
#include <xen/errno.h>
}

namespace bulkhead {

// Source: xen/include/public/errno.h (numbers), where each hypercall's header says which applies.
enum class Errno : int {
    EPERM = XEN_EPERM,
    ENOENT = XEN_ENOENT,
    ESRCH = XEN_ESRCH,
    EIO = XEN_EIO,
    E2BIG = XEN_E2BIG,
    EAGAIN = XEN_EAGAIN,
    ENOMEM = XEN_ENOMEM,
    EACCES = XEN_EACCES,
    EFAULT = XEN_EFAULT,
    EBUSY = XEN_EBUSY,
    EEXIST = XEN_EEXIST,
    ENODEV = XEN_ENODEV,
    EINVAL = XEN_EINVAL,
    ENOSPC = XEN_ENOSPC,
    ERANGE = XEN_ERANGE,
    ENOSYS = XEN_ENOSYS,
    EOPNOTSUPP = XEN_EOPNOTSUPP,
    ETIME = XEN_ETIME,
};

template <class T = void>
using Result = std::expected<T, Errno>;

using Failure = std::unexpected<Errno>;

constexpr Failure fail(Errno error) { return Failure(error); }
constexpr long negative(Errno error) { return -static_cast<long>(error); }

}  // namespace bulkhead

// Evaluates to the value of a Result, or returns its error from the enclosing function.
#define TRY(expression)                                                        \
    __extension__({                                                            \
        auto try_result_ = (expression);                                       \
        if (!try_result_.has_value()) [[unlikely]]                             \
            return ::bulkhead::Failure(try_result_.error());                   \
        *std::move(try_result_);                                               \
    })

// The same for a Result<void>.
#define TRY_VOID(expression)                                                   \
    do {                                                                       \
        if (auto try_result_ = (expression); !try_result_.has_value())         \
            [[unlikely]]                                                       \
            return ::bulkhead::Failure(try_result_.error());                   \
    } while (false)
