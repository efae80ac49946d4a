// SPDX-License-Identifier: BSD-2-Clause
// The formatter behind print() and crash(), in place of newlib's, which alone would be an eighth of the
// store's bound on code. It knows what the runtime's and the store's lines use: %c %s %d %u %x %p %%, with
// width, precision (of texts), the flags 0, - and #, and the lengths l, ll, h and z.
#include "pvdrivers/store/number.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace {

class Output {
public:
    Output(char* to, size_t room) : to_(to), room_(room) {}

    void put(char c)
    {
        if (length_ + 1 < room_)
            to_[length_] = c;
        ++length_;
    }
    void put(char c, size_t count)
    {
        while (count-- != 0)
            put(c);
    }
    void put(std::string_view text)
    {
        for (const char c : text)
            put(c);
    }
    int finish()
    {
        if (room_ != 0)
            to_[std::min(length_, room_ - 1)] = '\0';
        return static_cast<int>(length_);
    }

private:
    char* to_;
    size_t room_;
    size_t length_ = 0;
};

struct Form {
    bool left = false;
    bool zeros = false;
    bool alternate = false;
    size_t width = 0;
    size_t precision = SIZE_MAX;
    bool wide = false;

    void put(Output& out, std::string_view prefix, std::string_view text) const
    {
        const size_t length = prefix.size() + text.size();
        const size_t padding = width > length ? width - length : 0;
        if (!left && !zeros)
            out.put(' ', padding);
        out.put(prefix);
        if (!left && zeros)
            out.put('0', padding);
        out.put(text);
        if (left)
            out.put(' ', padding);
    }
};

size_t read_number(const char*& at)
{
    size_t number = 0;
    for (; *at >= '0' && *at <= '9'; ++at)
        number = number * 10 + static_cast<size_t>(*at - '0');
    return number;
}

void put_number(Output& out, const Form& form, uint64_t magnitude, bool negative, int base)
{
    char digits[24];
    const char* end = bulkhead::store::write_number(digits, magnitude, static_cast<unsigned>(base));
    const std::string_view prefix = negative ? "-" : form.alternate && base == 16 && magnitude != 0 ? "0x" : "";
    form.put(out, prefix, {digits, static_cast<size_t>(end - digits)});
}

}  // namespace

extern "C" int vsniprintf(char* to, size_t room, const char* format, va_list arguments)
{
    Output out(to, room);
    for (const char* at = format; *at != '\0'; ++at) {
        if (*at != '%') {
            out.put(*at);
            continue;
        }
        Form form;
        for (++at; *at == '0' || *at == '-' || *at == '#'; ++at) {
            form.zeros |= *at == '0';
            form.left |= *at == '-';
            form.alternate |= *at == '#';
        }
        if (*at == '*') {
            form.width = static_cast<size_t>(std::max(va_arg(arguments, int), 0));
            ++at;
        } else {
            form.width = read_number(at);
        }
        if (*at == '.') {
            ++at;
            if (*at == '*') {
                form.precision = static_cast<size_t>(std::max(va_arg(arguments, int), 0));
                ++at;
            } else {
                form.precision = read_number(at);
            }
        }
        for (; *at == 'l' || *at == 'z' || *at == 'h'; ++at)
            form.wide |= *at != 'h';
        switch (*at) {
        case 'c': out.put(static_cast<char>(va_arg(arguments, int))); break;
        case 's': {
            const char* text = va_arg(arguments, const char*);
            size_t length = 0;
            while (length < form.precision && text[length] != '\0')
                ++length;
            form.zeros = false;
            form.put(out, {}, {text, length});
            break;
        }
        case 'd': {
            const int64_t value = form.wide ? va_arg(arguments, long) : va_arg(arguments, int);
            put_number(out, form, value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value), value < 0, 10);
            break;
        }
        case 'p':
            form.alternate = true;
            form.wide = true;
            [[fallthrough]];
        case 'u':
        case 'x':
            put_number(out, form, form.wide ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned), false,
                       *at == 'u' ? 10 : 16);
            break;
        case '\0': return out.finish();
        default: out.put(*at); break;
        }
    }
    return out.finish();
}
