// SPDX-License-Identifier: BSD-2-Clause
// What trampoline.S and cpus.cpp share: offsets in SecondaryStart.
#pragma once

// clang-format off
#define SECONDARY_TABLE     0
#define SECONDARY_COUNT     8
#define SECONDARY_APIC_IDS  12
#define SECONDARY_ARRIVED   268
#define SECONDARY_NUMBER    524
// clang-format on

#ifndef __ASSEMBLER__
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace bulkhead {

inline constexpr size_t max_secondaries = 64;

struct SecondaryStart {
    uint64_t table;                                     // the core's top level, physical
    uint32_t count;
    std::array<uint32_t, max_secondaries> apic_ids;
    std::array<std::atomic<uint32_t>, max_secondaries> arrived;
    // What the CPU is to be: its number, 0 while it has to wait, negative if it is not wanted.
    std::array<std::atomic<int32_t>, max_secondaries> number;
};
static_assert(offsetof(SecondaryStart, table) == SECONDARY_TABLE);
static_assert(offsetof(SecondaryStart, count) == SECONDARY_COUNT);
static_assert(offsetof(SecondaryStart, apic_ids) == SECONDARY_APIC_IDS);
static_assert(offsetof(SecondaryStart, arrived) == SECONDARY_ARRIVED);
static_assert(offsetof(SecondaryStart, number) == SECONDARY_NUMBER);

}  // namespace bulkhead
#endif
