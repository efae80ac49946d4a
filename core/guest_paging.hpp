// SPDX-License-Identifier: BSD-2-Clause
// Where a walk of a hardware guest's own page tables begins, and what it comes to.
#pragma once

#include "core/types.hpp"

#include <cstdint>

namespace bulkhead {

struct GuestPaging {
    uint64_t cr0, cr3, cr4, efer;
    uint64_t rflags;
    uint8_t cpl;
};

// A frame of the guest's RAM, or why there is none (a few words).
struct GuestPlace {
    Mfn frame;
    bool executable;
    const char* problem;                // null: there is
};

inline constexpr uint64_t efer_long_mode_active = 0x400;

}  // namespace bulkhead
