// SPDX-License-Identifier: BSD-2-Clause
// Where things lie in the program's address space, all in the first top-level slot, and the types of
// frame numbers. The first two agree with runtime.lds.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bulkhead {

// A page of the partition by its place in the partition's memory.
enum class Pfn : uint64_t {};
// A frame of the machine.
enum class Mfn : uint64_t {};

[[nodiscard]] constexpr uint64_t raw(Pfn pfn) { return static_cast<uint64_t>(pfn); }
[[nodiscard]] constexpr uint64_t raw(Mfn mfn) { return static_cast<uint64_t>(mfn); }

namespace layout {

inline constexpr unsigned page_shift = 12;
inline constexpr uint64_t gibibyte = uint64_t{1} << 30;

// The partition's memory, page by page; the image is its beginning.
inline constexpr uint64_t linear_base = gibibyte;
inline constexpr uint64_t linear_end = 256 * gibibyte;
// Frames that are not the partition's: shared info, grant table, grants of others.
inline constexpr uint64_t window_base = 256 * gibibyte;
inline constexpr size_t window_pages = 16384;
// A vCPU's stack ends where the next one's slot begins. Below it is an unmapped guard page, at least.
inline constexpr uint64_t stacks_base = 257 * gibibyte;
inline constexpr uint64_t stack_slot_bytes = 16 * 1024 * 1024;
inline constexpr uint64_t persistent_base = 258 * gibibyte;
inline constexpr uint64_t persistent_end = 260 * gibibyte;

static_assert(linear_base == 0x40000000);

}  // namespace layout

}  // namespace bulkhead
