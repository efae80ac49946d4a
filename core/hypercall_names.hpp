// SPDX-License-Identifier: BSD-2-Clause
// Hypercalls by name, for people.
#pragma once

#include <cstdint>

namespace bulkhead {

// The ABI's name without its prefix; "unknown" for numbers that it does not define.
[[nodiscard]] const char* hypercall_name(uint64_t number);

}  // namespace bulkhead
