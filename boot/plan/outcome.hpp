// SPDX-License-Identifier: BSD-2-Clause
// What can fail in this tool fails with a sentence for the plan's author, without a full stop:
// what is wrong; what would be right.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "boot/plan/text.hpp"

namespace bulkhead::tool {

template <class T>
using Outcome = std::expected<T, std::string>;

template <class... Parts>
[[nodiscard]] std::unexpected<std::string> refuse(const Parts&... parts)
{
    return std::unexpected<std::string>(sentence(parts...));
}

}  // namespace bulkhead::tool

// Evaluates to the value of an Outcome, or returns its sentence from the enclosing function.
#define ATTEMPT(expression)                                                   \
    __extension__({                                                           \
        auto attempt_ = (expression);                                         \
        if (!attempt_.has_value())                                            \
            return std::unexpected<std::string>(std::move(attempt_.error())); \
        *std::move(attempt_);                                                 \
    })
