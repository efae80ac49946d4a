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

// Source: xen/include/public/errno.h; each hypercall's header says which applies.
// XEN_EPERM and so on.
using Errno = ::xen_errno;
// Never reaches a guest: the operation has done its share of work and is to be called again. The
// header defines it for hypervisors only.
inline constexpr Errno XEN_ERESTART = static_cast<Errno>(85);

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
