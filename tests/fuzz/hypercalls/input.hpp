// SPDX-License-Identifier: BSD-2-Clause
// A fuzzer's bytes as choices. Small ranges cost one byte, so that a short input does much.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>

namespace bulkhead::fuzz {

inline void require(bool holds, const char* what)
{
    if (holds)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    __builtin_trap();
}

class Input {
public:
    Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}

    [[nodiscard]] bool is_empty() const { return size_ == 0; }
    // A number below `below`; 0 at the end of the input.
    uint64_t choose(uint64_t below)
    {
        uint64_t value = 0;
        for (uint64_t left = below - 1; left != 0 && size_ != 0; left >>= 8, --size_)
            value = value << 8 | *data_++;
        return value % below;
    }
    // Seldom, and never at the end of the input.
    bool once_in(uint64_t times) { return choose(times) == times - 1; }
    uint64_t word()
    {
        uint64_t value = 0;
        for (int i = 0; i < 8 && size_ != 0; ++i, --size_)
            value = value << 8 | *data_++;
        return value;
    }

private:
    const uint8_t* data_;
    size_t size_;
};

}  // namespace bulkhead::fuzz
