// SPDX-License-Identifier: BSD-2-Clause
// Memory for the core's tables, taken once at start and never given back.
#pragma once

#include "core/types.hpp"

#include <cstddef>
#include <new>
#include <span>

namespace bulkhead {

// Zeroed memory in the direct map. Panics with the size when there is none left. Start-up only.
[[nodiscard]] void* boot_allocate(size_t bytes, size_t alignment);
// One zeroed frame for page tables, shared pages and the like.
[[nodiscard]] Mfn boot_allocate_frame();

template <class T>
[[nodiscard]] std::span<T> boot_allocate_array(size_t count)
{
    T* first = static_cast<T*>(boot_allocate(count * sizeof(T), alignof(T)));
    for (size_t i = 0; i < count; ++i)
        new (first + i) T{};
    return {first, count};
}

}  // namespace bulkhead
