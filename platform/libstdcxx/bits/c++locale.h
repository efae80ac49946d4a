// SPDX-License-Identifier: BSD-2-Clause
// libstdc++ with one locale, the C one; strings are never localised here.
#pragma once
#include <clocale>
#include <cstdarg>
#include <cstdio>

#define _GLIBCXX_C_LOCALE_GNU 0
#define _GLIBCXX_NUM_CATEGORIES 0

namespace std {
typedef int* __c_locale;

__attribute__((__format__(__printf__, 4, 5))) inline int __convert_from_v(
    const __c_locale&, char* out, const int size, const char* format, ...) {
    __builtin_va_list arguments;
    __builtin_va_start(arguments, format);
    const int length = vsnprintf(out, static_cast<size_t>(size), format, arguments);
    __builtin_va_end(arguments);
    return length;
}
}
