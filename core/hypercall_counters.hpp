// SPDX-License-Identifier: BSD-2-Clause
// How often a vCPU made each hypercall, and how often it was refused for want of an implementation.
// Written by the vCPU's own CPU only; others may read a value that is a moment old. Never reset: the
// monitor shows all lives.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace bulkhead {

// A power of two above the ABI's highest number; the last one counts all that are out of range.
inline constexpr uint32_t hypercall_numbers = 64;
inline constexpr uint32_t hypercall_out_of_range = hypercall_numbers - 1;

struct HypercallCounters {
    std::array<uint64_t, hypercall_numbers> calls;
    // Answered with ENOSYS or EOPNOTSUPP: unknown numbers and sub-operations, and what is not built.
    std::array<uint32_t, hypercall_numbers> refused;
    // In vCPU 0, for the partition: numbers that have had their line in the log (bit n).
    std::atomic<uint64_t> told;
};

}  // namespace bulkhead
