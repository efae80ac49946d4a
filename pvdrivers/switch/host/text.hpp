// SPDX-License-Identifier: BSD-2-Clause
// Text of the status page, the metrics and the diagnosis port, put together in a buffer of the caller's
// without printf. What does not fit is left out and remembered, never written.
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace bulkhead::net {

class Text {
public:
    explicit Text(std::span<char> room) : room_(room) {}

    Text& operator<<(char c);
    Text& operator<<(std::string_view text);
    Text& operator<<(std::unsigned_integral auto number) { return decimal(number); }

    [[nodiscard]] std::string_view view() const { return {room_.data(), length_}; }
    [[nodiscard]] size_t size() const { return length_; }
    [[nodiscard]] size_t left() const { return room_.size() - length_; }
    [[nodiscard]] bool overflowed() const { return overflowed_; }
    // Spaces up to that column of the text that began at `start`; at least one.
    Text& column(size_t start, size_t to);

private:
    Text& decimal(uint64_t number);
    std::span<char> room_;
    size_t length_ = 0;
    bool overflowed_ = false;
};

// Ways to write something: out << Html{name}.
// Text from elsewhere, for the inside of an element or of an attribute in double quotes.
struct Html {
    std::string_view text;
};
// For the value of a Prometheus label, without its quotes.
struct Label {
    std::string_view text;
};
// For a line on a terminal: nothing in it can move the cursor or change the display.
struct Plain {
    std::string_view text;
};
struct Mac {
    const std::array<uint8_t, 6>& bytes;
};
// Of so many decimals, rounded down: Decimal{12345, 3, 1} is 12.3.
struct Decimal {
    uint64_t value;
    unsigned scale;         // of the value: how many of its digits are behind the point
    unsigned decimals;      // written, at most scale
};
// Numbers to the right end of a column.
struct Right {
    uint64_t value;
    size_t width;
};
// With its unit: 12.3 MiB; 4.5 Mbit/s; 3 d 04:05:06.
struct Bytes {
    uint64_t bytes;
};
struct BitRate {
    uint64_t bits_per_second;
};
struct Span {
    uint64_t seconds;
};

Text& operator<<(Text& out, Html text);
Text& operator<<(Text& out, Label text);
Text& operator<<(Text& out, Plain text);
Text& operator<<(Text& out, const Mac& mac);
Text& operator<<(Text& out, Decimal number);
Text& operator<<(Text& out, Right number);
Text& operator<<(Text& out, Bytes size);
Text& operator<<(Text& out, BitRate rate);
Text& operator<<(Text& out, Span span);

}  // namespace bulkhead::net
