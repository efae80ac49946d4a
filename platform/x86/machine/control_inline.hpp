// SPDX-License-Identifier: BSD-2-Clause
// Included by machine/control.hpp only.
#pragma once

namespace bulkhead::machine {

inline bool is_64bit_code(uint16_t selector)
{
    constexpr uint32_t long_mode = 1u << 21;    // L
    uint32_t rights;
    bool ok;
    asm volatile("lar %[selector], %[rights]"
        : [rights] "=r"(rights), "=@ccz"(ok)
        : [selector] "r"(uint32_t{selector}));
    return ok && (rights & long_mode) != 0;
}

}  // namespace bulkhead::machine
