// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "boot/plan/bytes.hpp"

namespace bulkhead::tool {

using Sha256 = std::array<uint8_t, 32>;

[[nodiscard]] Sha256 sha256(View data);
[[nodiscard]] std::string hex_text(View data);

// zlib's polynomial, as core/crc32.hpp has it.
[[nodiscard]] uint32_t crc32_of(View data);

}  // namespace bulkhead::tool
