// SPDX-License-Identifier: BSD-2-Clause
// Sentences: what this tool says is built from parts here, with numbers as people write them.
#pragma once

#include <cstdint>
#include <ostream>
#include <span>
#include <sstream>
#include <string>
#include <string_view>

namespace bulkhead::tool {

template <class... Parts>
[[nodiscard]] std::string sentence(const Parts&... parts)
{
    std::ostringstream out;
    (out << ... << parts);
    return std::move(out).str();
}

// 0x1f.
struct Hex {
    uint64_t value;
};
std::ostream& operator<<(std::ostream& out, Hex number);

// "3.4 MiB", "12 KiB", "100 bytes": whole numbers where they are exact.
struct Size {
    uint64_t bytes;
};
std::ostream& operator<<(std::ostream& out, Size size);

// "1 vCPU", "2 vCPUs".
struct Count {
    uint64_t number;
    std::string_view noun;
};
std::ostream& operator<<(std::ostream& out, Count count);

// In double quotes; what does not print appears as \xNN, and what is long is cut.
struct Quoted {
    std::string_view text;
};
std::ostream& operator<<(std::ostream& out, Quoted quoted);

// "a, b and c".
[[nodiscard]] std::string list_of(std::span<const std::string> items);

}  // namespace bulkhead::tool
