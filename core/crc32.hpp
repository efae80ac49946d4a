// SPDX-License-Identifier: BSD-2-Clause
// CRC-32 with zlib's polynomial, so that the host tool may use zlib's. It finds damage in an image;
// it is no protection against anybody.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace bulkhead {

namespace detail {

consteval std::array<uint32_t, 256> crc32_table()
{
    std::array<uint32_t, 256> table{};
    for (uint32_t byte = 0; byte < 256; ++byte) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; ++bit)
            value = (value >> 1) ^ ((value & 1) != 0 ? 0xedb88320U : 0U);
        table[byte] = value;
    }
    return table;
}

inline constexpr std::array<uint32_t, 256> crc32_bytes = crc32_table();

}  // namespace detail

// Continues `crc`, the result for the bytes before these; 0 to begin.
constexpr uint32_t crc32(std::span<const uint8_t> bytes, uint32_t crc = 0)
{
    crc = ~crc;
    for (const uint8_t byte : bytes)
        crc = (crc >> 8) ^ detail::crc32_bytes[(crc ^ byte) & 0xff];
    return ~crc;
}

}  // namespace bulkhead
