// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/hash.hpp"

#include <nettle/sha2.h>
#include <zlib.h>

namespace bulkhead::tool {

Sha256 sha256(View data)
{
    Sha256 digest{};
    sha256_ctx context;
    sha256_init(&context);
    sha256_update(&context, data.size(), data.data());
    sha256_digest(&context, digest.size(), digest.data());
    return digest;
}

std::string hex_text(View data)
{
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const uint8_t byte : data) {
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

uint32_t crc32_of(View data)
{
    return static_cast<uint32_t>(crc32_z(0, data.data(), data.size()));
}

}  // namespace bulkhead::tool
