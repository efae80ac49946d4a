// SPDX-License-Identifier: BSD-2-Clause
// The buffer between those who write text for the terminal and the UART.
#include "core/console/text_out.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace bulkhead {

void TextOut::pop(size_t count)
{
    begin_ += std::min(count, size());
    if (begin_ == end_)
        clear();
}

void TextOut::put_raw(std::string_view text)
{
    const size_t count = std::min(text.size(), room());
    memcpy(bytes_.data() + end_, text.data(), count);
    end_ += count;
}

void TextOut::put(std::string_view text)
{
    while (!text.empty()) {
        const size_t length = std::min(text.find('\n'), text.size());
        put_raw(text.substr(0, length));
        if (length == text.size())
            return;
        put_raw("\r\n");
        text.remove_prefix(length + 1);
    }
}

void TextOut::repeat(char byte, size_t count)
{
    count = std::min(count, room());
    memset(bytes_.data() + end_, byte, count);
    end_ += count;
}

void TextOut::put_hexadecimal(uint8_t byte)
{
    constexpr std::string_view digits = "0123456789abcdef";
    put_raw(digits.substr(byte >> 4, 1));
    put_raw(digits.substr(byte & 15, 1));
}

void TextOut::print(const char* format, ...)
{
    std::array<char, 320> text;
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text.data(), text.size(), format, arguments);
    va_end(arguments);
    if (length > 0)
        put({text.data(), std::min(static_cast<size_t>(length), text.size() - 1)});
}

}  // namespace bulkhead
