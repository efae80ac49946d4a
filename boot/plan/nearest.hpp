// SPDX-License-Identifier: BSD-2-Clause
// What the author of a plan probably meant.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace bulkhead::tool {

// The known name that `name` was probably meant to be, or nothing when none is near.
// Case, '-' and '_' count for less than letters.
[[nodiscard]] std::string_view nearest(std::string_view name, std::span<const std::string_view> known);

// `did you mean "x"?`, or `otherwise` when nothing is near.
[[nodiscard]] std::string suggestion(std::string_view name, std::span<const std::string_view> known,
                                     std::string_view otherwise);

}  // namespace bulkhead::tool
