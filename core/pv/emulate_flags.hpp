// SPDX-License-Identifier: BSD-2-Clause
// RFLAGS as the emulated stores leave them. Where the manual says undefined, what CPUs do.
// Source: Intel SDM vol 2, pages of AND, CMPXCHG, BTS; vol 1, "Status Flags".
#pragma once

#include "core/pv/emulate_complete.hpp"

#include <bit>
#include <cstdint>

namespace bulkhead {

constexpr uint64_t sign_zero_parity(uint64_t value, unsigned size)
{
    uint64_t flags = 0;
    if (((value >> (size * 8 - 1)) & 1) != 0)
        flags |= rflags::sf;
    if (value == 0)
        flags |= rflags::zf;
    // The core has no POPCNT to rely on.
    uint64_t parity = value & 0xFF;
    parity ^= parity >> 4;
    if (((0x6996u >> (parity & 0xF)) & 1) == 0)
        flags |= rflags::pf;
    return flags;
}

// and, or, xor. value: the result, zero-extended.
constexpr uint64_t flags_of_logic(uint64_t before, uint64_t value, unsigned size)
{
    constexpr uint64_t changed = rflags::cf | rflags::pf | rflags::af | rflags::zf | rflags::sf | rflags::of;
    return (before & ~changed) | sign_zero_parity(value, size);
}

// add.
constexpr uint64_t flags_of_sum(uint64_t before, uint64_t destination, uint64_t source, unsigned size)
{
    constexpr uint64_t changed = rflags::cf | rflags::pf | rflags::af | rflags::zf | rflags::sf | rflags::of;
    const uint64_t mask = size >= 8 ? ~uint64_t{0} : (uint64_t{1} << (size * 8)) - 1;
    const uint64_t sum = (destination + source) & mask;
    uint64_t flags = sign_zero_parity(sum, size);
    if (sum < destination)
        flags |= rflags::cf;
    flags |= (destination ^ source ^ sum) & rflags::af;
    if (((~(destination ^ source) & (destination ^ sum)) >> (size * 8 - 1) & 1) != 0)
        flags |= rflags::of;
    return (before & ~changed) | flags;
}

// cmpxchg: those of `cmp destination, accumulator`, the accumulator being the minuend.
constexpr uint64_t flags_of_compare(uint64_t before, uint64_t accumulator, uint64_t destination, unsigned size)
{
    constexpr uint64_t changed = rflags::cf | rflags::pf | rflags::af | rflags::zf | rflags::sf | rflags::of;
    const uint64_t mask = size >= 8 ? ~uint64_t{0} : (uint64_t{1} << (size * 8)) - 1;
    const uint64_t difference = (accumulator - destination) & mask;
    uint64_t flags = sign_zero_parity(difference, size);
    if (accumulator < destination)
        flags |= rflags::cf;
    flags |= (accumulator ^ destination ^ difference) & rflags::af;
    const uint64_t overflow = (accumulator ^ destination) & (accumulator ^ difference);
    if (((overflow >> (size * 8 - 1)) & 1) != 0)
        flags |= rflags::of;
    return (before & ~changed) | flags;
}

// bts, btr: the bit's old value.
constexpr uint64_t flags_of_bit(uint64_t before, bool bit)
{
    return (before & ~rflags::cf) | (bit ? rflags::cf : 0);
}

}  // namespace bulkhead
