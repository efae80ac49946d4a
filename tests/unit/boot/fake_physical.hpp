// SPDX-License-Identifier: BSD-2-Clause
// Physical memory for the readers of firmware structures: a few kilobytes at an address that the
// test chooses. Everything else cannot be looked at.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace fake_physical {

inline constexpr uint64_t begin = 0x10000;
inline std::vector<uint8_t> memory;

inline void reset(size_t bytes = 0x2000) { memory.assign(bytes, 0); }

inline const void* view(uint64_t address, uint64_t size_bytes)
{
    if (address < begin || address - begin > memory.size() || size_bytes > memory.size() - (address - begin))
        return nullptr;
    return memory.data() + (address - begin);
}

template <class T>
void put(uint64_t address, const T& value)
{
    std::memcpy(memory.data() + (address - begin), &value, sizeof(T));
}
inline void put_text(uint64_t address, std::string_view text)
{
    std::memcpy(memory.data() + (address - begin), text.data(), text.size());
}

}  // namespace fake_physical
