// SPDX-License-Identifier: BSD-2-Clause
// Arithmetic between TSC ticks and nanoseconds, and of calendar dates. No hardware.
#pragma once

#include <cstdint>
#include <optional>

namespace bulkhead::clock_math {

__extension__ using Wide = unsigned __int128;

inline constexpr uint64_t nanoseconds_per_second = 1'000'000'000;

struct Rate {
    uint32_t multiplier;
    int8_t shift;
};

// The finest multiplier that fits 32 bits. hz at least 1.
constexpr Rate rate_of(uint64_t hz)
{
    int shift = 0;
    while (hz > 2 * nanoseconds_per_second) {
        hz >>= 1;
        --shift;
    }
    while (hz <= nanoseconds_per_second) {
        hz <<= 1;
        ++shift;
    }
    return {static_cast<uint32_t>((nanoseconds_per_second << 32) / hz), static_cast<int8_t>(shift)};
}

constexpr uint64_t shifted(uint64_t value, int8_t shift)
{
    return shift >= 0 ? value << shift : value >> -shift;
}

// Source: xen/include/public/xen.h, struct vcpu_time_info.
constexpr uint64_t nanoseconds_for(uint64_t ticks, const Rate& rate)
{
    return static_cast<uint64_t>((static_cast<Wide>(shifted(ticks, rate.shift)) * rate.multiplier) >> 32);
}

// The same in fewer instructions, for whoever reads the clock often: all shifts to the left are in the
// factor, which fits 64 bits for every rate.
constexpr uint8_t right_shift_of(const Rate& rate) { return rate.shift < 0 ? static_cast<uint8_t>(-rate.shift) : 0; }
constexpr uint64_t factor_of(const Rate& rate) { return uint64_t{rate.multiplier} << (rate.shift > 0 ? rate.shift : 0); }
constexpr uint64_t nanoseconds_for(uint64_t ticks, uint8_t right, uint64_t factor)
{
    return static_cast<uint64_t>((static_cast<Wide>(ticks >> right) * factor) >> 32);
}

// value << 32, divided by a 32-bit number whose quotient fits 64 bits; rounded up.
inline uint64_t divide_shifted(uint64_t value, uint32_t divisor)
{
    uint64_t quotient;
    uint64_t remainder;
    asm("divq %[divisor]"
        : "=a"(quotient), "=d"(remainder)
        : [divisor] "r"(uint64_t{divisor}), "a"(value << 32), "d"(value >> 32)
        : "cc");
    return quotient + (remainder != 0 ? 1 : 0);
}

// The least number of ticks for which nanoseconds_for() is at least `time`. Times above 2^62 ns
// (146 years) count as that.
inline uint64_t ticks_for(uint64_t time, const Rate& rate)
{
    constexpr uint64_t longest = uint64_t{1} << 62;
    const uint64_t scaled = divide_shifted(time < longest ? time : longest, rate.multiplier);
    if (rate.shift >= 0)
        return (scaled + (uint64_t{1} << rate.shift) - 1) >> rate.shift;
    return scaled << -rate.shift;
}

// a * b / c rounded down, with a product of 128 bits. The result must fit 64 bits.
inline uint64_t multiply_divide(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t high;
    asm("mulq %[b]\n divq %[c]" : "+&a"(a), "=&d"(high) : [b] "r"(b), [c] "r"(c) : "cc");
    return a;
}

// What a PC's clock chip holds, as read, and what it means.
struct ClockChip {
    uint8_t second, minute, hour, day, month, year;
    bool binary;            // else two decimal digits a byte
    bool hours_24;          // else bit 7 of the hour is "pm"
    friend bool operator==(const ClockChip&, const ClockChip&) = default;
};

// Seconds since 1970 (UTC); nothing if it cannot be a date. Years are 2000 to 2099.
std::optional<uint64_t> seconds_since_1970(const ClockChip& chip);

}  // namespace bulkhead::clock_math
