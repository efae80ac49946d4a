// SPDX-License-Identifier: BSD-2-Clause
// A program with two pages of code, one of constants and one of data.
#pragma once

#include <cstdint>

namespace bulkhead::image {

inline uint64_t start() { return 0x40000000; }
inline uint64_t text_end() { return 0x40002000; }
inline uint64_t rodata_end() { return 0x40003000; }
inline uint64_t end() { return 0x40004000; }

}  // namespace bulkhead::image
