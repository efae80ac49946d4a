// SPDX-License-Identifier: BSD-2-Clause
// Bytes from files, read only through functions that check the bounds: every file that this tool
// opens may be truncated or hostile.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

namespace bulkhead::tool {

using Bytes = std::vector<uint8_t>;
using View = std::span<const uint8_t>;

// `size` bytes from `offset` on, or nothing if they are not all there.
[[nodiscard]] inline std::optional<View> slice(View data, uint64_t offset, uint64_t size)
{
    if (offset > data.size() || size > data.size() - offset)
        return std::nullopt;
    return data.subspan(offset, size);
}

// A little-endian record at `offset`, at any alignment, or nothing if it is not all there.
template <class T>
    requires std::is_trivially_copyable_v<T>
[[nodiscard]] std::optional<T> read_at(View data, uint64_t offset)
{
    const auto part = slice(data, offset, sizeof(T));
    if (!part)
        return std::nullopt;
    T value;
    std::memcpy(&value, part->data(), sizeof(T));
    return value;
}

// The bytes of a record or of an array of records, as they go into a file.
template <class T>
    requires std::is_trivially_copyable_v<T>
[[nodiscard]] View view_of(const T& value)
{
    return {reinterpret_cast<const uint8_t*>(&value), sizeof(T)};
}

template <class T>
    requires std::is_trivially_copyable_v<T>
[[nodiscard]] View view_of(const std::vector<T>& values)
{
    return {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(T)};
}

inline void append(Bytes& to, View data) { to.insert(to.end(), data.begin(), data.end()); }

inline void pad_to(Bytes& data, uint64_t alignment)
{
    data.resize((data.size() + alignment - 1) / alignment * alignment);
}

}  // namespace bulkhead::tool
