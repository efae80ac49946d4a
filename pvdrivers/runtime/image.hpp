// SPDX-License-Identifier: BSD-2-Clause
// Where the parts of the program's own image end, from runtime.lds; each at a page boundary.
#pragma once

#include <cstdint>

extern "C" {
extern char image_start[], image_text_end[], image_rodata_end[], image_end[];
}

namespace bulkhead::image {

[[nodiscard]] inline uint64_t start() { return reinterpret_cast<uint64_t>(image_start); }
[[nodiscard]] inline uint64_t text_end() { return reinterpret_cast<uint64_t>(image_text_end); }
[[nodiscard]] inline uint64_t rodata_end() { return reinterpret_cast<uint64_t>(image_rodata_end); }
[[nodiscard]] inline uint64_t end() { return reinterpret_cast<uint64_t>(image_end); }

}  // namespace bulkhead::image
