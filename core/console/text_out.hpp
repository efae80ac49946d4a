// SPDX-License-Identifier: BSD-2-Clause
// Text on its way to the terminal: a buffer that is filled a few lines at a time and drained as the
// UART takes it. Whoever fills it asks room() first; what does not fit is cut off.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bulkhead {

class TextOut {
public:
    static constexpr size_t capacity = 2048;

    constexpr TextOut() = default;

    [[nodiscard]] bool empty() const { return begin_ == end_; }
    [[nodiscard]] size_t size() const { return end_ - begin_; }
    [[nodiscard]] size_t room() const { return capacity - end_; }
    [[nodiscard]] char front() const { return bytes_[begin_]; }
    [[nodiscard]] std::string_view view() const { return {&bytes_[begin_], size()}; }
    void pop(size_t count = 1);
    void clear() { begin_ = end_ = 0; }

    // As it is.
    void put_raw(std::string_view text);
    // Each newline becomes CR LF.
    void put(std::string_view text);
    void repeat(char byte, size_t count);
    // Two digits, and cheaper than print().
    void put_hexadecimal(uint8_t byte);
    // printf, at most 320 bytes; newlines as in put().
    [[gnu::format(printf, 2, 3)]] void print(const char* format, ...);

private:
    std::array<char, capacity> bytes_{};
    size_t begin_ = 0;
    size_t end_ = 0;
};

}  // namespace bulkhead
