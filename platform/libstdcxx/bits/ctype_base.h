// SPDX-License-Identifier: BSD-2-Clause
// Character classes over newlib's <ctype.h>; named by <locale> headers only.
#pragma once

namespace std {
struct ctype_base {
    typedef const int* __to_type;
    typedef char mask;
    static const mask upper = 01;
    static const mask lower = 02;
    static const mask alpha = 01 | 02;
    static const mask digit = 04;
    static const mask xdigit = 0100 | 04;
    static const mask space = 010;
    static const mask blank = char(0200);
    static const mask print = 020 | 01 | 02 | 04 | char(0200);
    static const mask graph = 020 | 01 | 02 | 04;
    static const mask cntrl = 040;
    static const mask punct = 020;
    static const mask alnum = 01 | 02 | 04;
};
}
