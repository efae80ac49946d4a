// SPDX-License-Identifier: BSD-2-Clause
// What a property's bytes mean. A compiled tree does not say whether text or cells were written, so
// text is what ends in a zero and prints; cells below 0x20000000 are never mistaken for it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "boot/plan/bytes.hpp"
#include "boot/plan/outcome.hpp"

namespace bulkhead::tool {

[[nodiscard]] bool is_text(View value);

// "a", "b": one or more texts.
[[nodiscard]] Outcome<std::vector<std::string>> texts(View value);
[[nodiscard]] Outcome<std::string> text(View value);

// <1 2>; 32 bits each.
[[nodiscard]] Outcome<std::vector<uint32_t>> cells(View value);

// /bits/ 64 <1 2>, or the same as pairs of 32-bit cells, high half first.
[[nodiscard]] Outcome<std::vector<uint64_t>> wide_cells(View value);

// <5>, "5" or "0x5", as xl's files have it, between the two bounds, both included.
[[nodiscard]] Outcome<uint64_t> number(View value, uint64_t least, uint64_t most);

// A property without a value is true; else <0>, <1>, "yes", "no" and their kin.
[[nodiscard]] Outcome<bool> boolean(View value);

// All digits of a decimal or 0x number, nothing around them.
[[nodiscard]] Outcome<uint64_t> parse_number(std::string_view digits);

[[nodiscard]] std::string_view trim(std::string_view text);
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);

}  // namespace bulkhead::tool
