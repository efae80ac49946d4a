// SPDX-License-Identifier: BSD-2-Clause
// One line for each claim that a test program checks: `ok: what`, or `FAIL file:line: condition`.
#pragma once

#include <bulkhead/console.hpp>

extern unsigned checks_failed;

#define CHECK(condition)                                                          \
    do {                                                                          \
        if (!(condition)) {                                                       \
            ++checks_failed;                                                      \
            bulkhead::print("FAIL %s:%d: %s\n", __FILE__, __LINE__, #condition);  \
        }                                                                         \
    } while (false)

#define CLAIM(sentence, ...)                                                      \
    do {                                                                          \
        const unsigned before_ = checks_failed;                                   \
        __VA_ARGS__;                                                              \
        if (checks_failed == before_)                                             \
            bulkhead::print("ok: %s\n", sentence);                                \
    } while (false)
