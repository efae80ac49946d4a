// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/text.hpp"

#include <array>

namespace bulkhead::tool {

std::ostream& operator<<(std::ostream& out, Hex number)
{
    const auto flags = out.flags();
    out << "0x" << std::hex << number.value;
    out.flags(flags);
    return out;
}

std::ostream& operator<<(std::ostream& out, Size size)
{
    static constexpr std::array<std::string_view, 4> units{"bytes", "KiB", "MiB", "GiB"};
    uint64_t unit_bytes = 1;
    size_t unit = 0;
    while (unit + 1 < units.size() && size.bytes / unit_bytes >= 1024) {
        unit_bytes *= 1024;
        ++unit;
    }
    out << size.bytes / unit_bytes;
    if (const uint64_t tenths = size.bytes % unit_bytes * 10 / unit_bytes; tenths != 0)
        out << '.' << tenths;
    return out << ' ' << (size.bytes == 1 ? "byte" : units[unit]);
}

std::ostream& operator<<(std::ostream& out, Count count)
{
    return out << count.number << ' ' << count.noun << (count.number == 1 ? "" : "s");
}

std::ostream& operator<<(std::ostream& out, Quoted quoted)
{
    static constexpr std::string_view digits = "0123456789abcdef";
    static constexpr size_t longest = 120;
    out << '"';
    for (const char character : quoted.text.substr(0, longest)) {
        const auto byte = static_cast<unsigned char>(character);
        if (byte < 0x20 || byte == 0x7f)
            out << "\\x" << digits[byte >> 4] << digits[byte & 15];
        else
            out << character;
    }
    return out << (quoted.text.size() > longest ? "...\"" : "\"");
}

std::string list_of(std::span<const std::string> items)
{
    std::string out;
    for (size_t i = 0; i < items.size(); ++i) {
        if (i != 0)
            out += i + 1 == items.size() ? " and " : ", ";
        out += items[i];
    }
    return out;
}

}  // namespace bulkhead::tool
