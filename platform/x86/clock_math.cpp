// SPDX-License-Identifier: BSD-2-Clause
#include "platform/x86/clock_math.hpp"

#include <array>

namespace bulkhead::clock_math {

namespace {

constexpr uint8_t pm_bit = 0x80;

std::optional<unsigned> number(uint8_t value, bool binary)
{
    if (binary)
        return value;
    const unsigned tens = value >> 4;
    const unsigned ones = value & 0xF;
    if (tens > 9 || ones > 9)
        return std::nullopt;
    return tens * 10 + ones;
}

std::optional<unsigned> hour_of(const ClockChip& chip)
{
    if (chip.hours_24)
        return number(chip.hour, chip.binary);
    const auto hour = number(static_cast<uint8_t>(chip.hour & ~pm_bit), chip.binary);
    if (!hour || *hour < 1 || *hour > 12)
        return std::nullopt;
    const unsigned morning = *hour % 12;
    return (chip.hour & pm_bit) != 0 ? morning + 12 : morning;
}

constexpr bool is_leap(unsigned year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

unsigned days_in(unsigned month, unsigned year)
{
    constexpr std::array<unsigned, 12> days{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

}  // namespace

std::optional<uint64_t> seconds_since_1970(const ClockChip& chip)
{
    const auto second = number(chip.second, chip.binary);
    const auto minute = number(chip.minute, chip.binary);
    const auto hour = hour_of(chip);
    const auto day = number(chip.day, chip.binary);
    const auto month = number(chip.month, chip.binary);
    const auto short_year = number(chip.year, chip.binary);
    if (!second || !minute || !hour || !day || !month || !short_year)
        return std::nullopt;
    const unsigned year = 2000 + *short_year;
    if (*second > 60 || *minute > 59 || *hour > 23 || *month < 1 || *month > 12 || *short_year > 99)
        return std::nullopt;
    if (*day < 1 || *day > days_in(*month, year))
        return std::nullopt;
    uint64_t days = 0;
    for (unsigned y = 1970; y < year; ++y)
        days += is_leap(y) ? 366u : 365u;
    for (unsigned m = 1; m < *month; ++m)
        days += days_in(m, year);
    days += *day - 1;
    return ((days * 24 + *hour) * 60 + *minute) * 60 + *second;
}

}  // namespace bulkhead::clock_math
