// SPDX-License-Identifier: BSD-2-Clause
// The compressions that Linux kernels come in, by Debian's libraries, with a bound on the output.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "boot/plan/bytes.hpp"
#include "boot/plan/outcome.hpp"

namespace bulkhead::tool {

enum class Compression : uint8_t { gzip, bzip2, lzma, xz, lz4, zstd, lzo };

// By the first bytes; nothing if they are none of these.
[[nodiscard]] std::optional<Compression> compression_of(View data);
[[nodiscard]] std::string_view name_of(Compression compression);

// The unpacked content. What follows the compressed stream is ignored, as Linux appends a length.
// More than `limit` bytes are refused.
[[nodiscard]] Outcome<Bytes> decompress(View data, Compression compression, uint64_t limit);

}  // namespace bulkhead::tool
