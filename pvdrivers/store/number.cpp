// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/store/number.hpp"

namespace bulkhead::store {

char* write_number(char* to, uint64_t number, unsigned base)
{
    char* end = to + 1;
    for (uint64_t rest = number / base; rest != 0; rest /= base)
        ++end;
    for (char* at = end; at != to; number /= base)
        *--at = "0123456789abcdef"[number % base];
    return end;
}

bool parse_number(std::string_view text, uint32_t& number)
{
    uint64_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + static_cast<uint64_t>(c - '0');
        if (value > UINT32_MAX)
            return false;
    }
    number = static_cast<uint32_t>(value);
    return !text.empty();
}

}  // namespace bulkhead::store
