// SPDX-License-Identifier: BSD-2-Clause
// Numbers as text. The C++ library's are several times as large, and the store's size has a bound.
#pragma once

#include <cstdint>
#include <string_view>

namespace bulkhead::store {

// Bytes of the longest number in base ten.
inline constexpr size_t number_bytes = 20;

// Writes a number without a final NUL, returns its end.
char* write_number(char* to, uint64_t number, unsigned base = 10);

// False if the text is anything but digits, or the number does not fit.
[[nodiscard]] bool parse_number(std::string_view text, uint32_t& number);

}  // namespace bulkhead::store
