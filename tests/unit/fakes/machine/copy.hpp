// SPDX-License-Identifier: BSD-2-Clause
// Takes the place of platform/x86/machine/copy.hpp in unit tests, so that the sanitizers see it.
#pragma once

#include <cstddef>
#include <cstring>

namespace bulkhead::machine {

inline void copy_bytes(void* to, const void* from, size_t bytes) { std::memmove(to, from, bytes); }

}  // namespace bulkhead::machine
