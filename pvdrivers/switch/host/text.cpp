// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/host/text.hpp"

#include <algorithm>

namespace bulkhead::net {

namespace {

// How many bytes the well-formed UTF-8 sequence at the beginning has; 0: there is none.
size_t sequence_length(std::string_view text)
{
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
    const uint8_t first = byte(0);
    if (first < 0x80)
        return 1;
    const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length)
        return 0;
    for (size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xc0) != 0x80)
            return 0;
    // Overlong forms, surrogates, and what is beyond U+10FFFF.
    const bool wrong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f) ||
                       (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f);
    return wrong ? 0 : length;
}

// U+0080 to U+009F are control characters too.
bool is_control(std::string_view sequence)
{
    const auto first = static_cast<uint8_t>(sequence[0]);
    return first < 0x20 || first == 0x7f || (first == 0xc2 && static_cast<uint8_t>(sequence[1]) < 0xa0);
}

// Writes the text with `replacement(c)` in the place of those characters for which it is not empty.
template <class Replacement>
Text& write(Text& out, std::string_view text, Replacement replacement)
{
    while (!text.empty()) {
        const size_t length = sequence_length(text);
        if (length == 0) {
            out << '?';
            text.remove_prefix(1);
            continue;
        }
        if (const std::string_view instead = replacement(text.front()); !instead.empty())
            out << instead;
        else if (is_control(text.substr(0, length)))
            out << '?';
        else
            out << text.substr(0, length);
        text.remove_prefix(length);
    }
    return out;
}

}  // namespace

Text& Text::operator<<(char c)
{
    if (length_ < room_.size())
        room_[length_++] = c;
    else
        overflowed_ = true;
    return *this;
}

Text& Text::operator<<(std::string_view text)
{
    for (const char c : text)
        *this << c;
    return *this;
}

Text& Text::decimal(uint64_t number)
{
    std::array<char, 20> digits;
    const char* end = std::to_chars(digits.begin(), digits.end(), number).ptr;
    return *this << std::string_view(digits.data(), static_cast<size_t>(end - digits.data()));
}

Text& Text::column(size_t start, size_t to)
{
    do
        *this << ' ';
    while (length_ < start + to && !overflowed_);
    return *this;
}

Text& operator<<(Text& out, Html text)
{
    return write(out, text.text, [](char c) -> std::string_view {
        switch (c) {
        case '&': return "&amp;";
        case '<': return "&lt;";
        case '>': return "&gt;";
        case '"': return "&quot;";
        case '\'': return "&#39;";
        default: return {};
        }
    });
}

Text& operator<<(Text& out, Label text)
{
    return write(out, text.text, [](char c) -> std::string_view {
        switch (c) {
        case '\\': return "\\\\";
        case '"': return "\\\"";
        case '\n': return "\\n";
        default: return {};
        }
    });
}

Text& operator<<(Text& out, Plain text)
{
    return write(out, text.text, [](char c) -> std::string_view { return c == '\t' ? " " : ""; });
}

Text& operator<<(Text& out, const Mac& mac)
{
    static constexpr char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < mac.bytes.size(); ++i) {
        if (i != 0)
            out << ':';
        out << digits[mac.bytes[i] >> 4] << digits[mac.bytes[i] & 15];
    }
    return out;
}

Text& operator<<(Text& out, Decimal number)
{
    uint64_t unit = 1;
    for (unsigned i = 0; i < number.scale; ++i)
        unit *= 10;
    out << number.value / unit;
    if (number.decimals != 0)
        out << '.';
    uint64_t rest = number.value % unit;
    for (unsigned i = 0; i < number.decimals; ++i) {
        unit /= 10;
        out << static_cast<char>('0' + rest / unit);
        rest %= unit;
    }
    return out;
}

Text& operator<<(Text& out, Right number)
{
    size_t digits = 1;
    for (uint64_t rest = number.value; rest >= 10; rest /= 10)
        ++digits;
    for (; digits < number.width; ++digits)
        out << ' ';
    return out << number.value;
}

namespace {

// Three digits or so, and the unit.
Text& scaled(Text& out, uint64_t value, uint64_t thousand, std::span<const std::string_view> units)
{
    size_t unit = 0;
    uint64_t divisor = 1;
    while (unit + 1 < units.size() && value / divisor >= thousand) {
        divisor *= thousand;
        ++unit;
    }
    const uint64_t whole = value / divisor;
    out << whole;
    if (unit != 0 && whole < 100)
        out << '.' << value % divisor * 10 / divisor;
    return out << ' ' << units[unit];
}

}  // namespace

Text& operator<<(Text& out, Bytes size)
{
    static constexpr std::string_view units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    return scaled(out, size.bytes, 1024, units);
}

Text& operator<<(Text& out, BitRate rate)
{
    static constexpr std::string_view units[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"};
    return scaled(out, rate.bits_per_second, 1000, units);
}

Text& operator<<(Text& out, Span span)
{
    const auto two = [&](uint64_t number) -> Text& { return number < 10 ? out << '0' << number : out << number; };
    if (span.seconds >= 86400)
        out << span.seconds / 86400 << " d ";
    two(span.seconds / 3600 % 24) << ':';
    two(span.seconds / 60 % 60) << ':';
    return two(span.seconds % 60);
}

}  // namespace bulkhead::net
