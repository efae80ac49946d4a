// SPDX-License-Identifier: BSD-2-Clause
// Two partitions under CppUTest: a broken invariant fails the test.
#pragma once

#include "partitions.hpp"

#include <CppUTest/TestHarness.h>

namespace bulkhead::fake {

inline const bool fails_tests = [] {
    on_broken = [](const char* text) { FAIL(text); };
    return true;
}();

}  // namespace bulkhead::fake
