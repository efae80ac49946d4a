// SPDX-License-Identifier: BSD-2-Clause
// Ticks, nanoseconds and dates.
#include "platform/x86/clock_math.hpp"

#include "platform/x86/clock_math.cpp"

#include <random>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;
using namespace bulkhead::clock_math;

TEST_GROUP(ClockMath) {};

TEST(ClockMath, makes_one_tick_a_nanosecond_at_one_gigahertz)
{
    const Rate rate = rate_of(1'000'000'000);
    UNSIGNED_LONGLONGS_EQUAL(123'456'789, nanoseconds_for(123'456'789, rate));
}

TEST(ClockMath, keeps_the_multiplier_in_its_upper_half)
{
    for (const uint64_t hz : {1ul, 1000ul, 32768ul, 999'999'999ul, 1'000'000'001ul, 2'000'000'000ul, 2'000'000'001ul,
                              2'596'146'001ul, 5'700'000'000ul, 20'000'000'000ul}) {
        const Rate rate = rate_of(hz);
        CHECK(rate.multiplier >= 0x8000'0000u);
    }
}

TEST(ClockMath, is_right_to_a_part_in_a_thousand_million)
{
    for (const uint64_t hz : {25'000'000ul, 800'000'000ul, 1'600'000'000ul, 2'596'146'001ul, 5'700'000'000ul}) {
        const Rate rate = rate_of(hz);
        const uint64_t an_hour = nanoseconds_for(hz * 3600, rate);
        const uint64_t expected = 3600 * nanoseconds_per_second;
        CHECK((an_hour > expected ? an_hour - expected : expected - an_hour) < 3600 * 2);
    }
}

TEST(ClockMath, tells_the_same_with_all_shifts_to_the_left_in_the_factor)
{
    std::mt19937_64 random(1);
    for (const uint64_t hz : {1ul, 25'000'000ul, 1'000'000'000ul, 2'000'000'001ul, 5'700'000'000ul, 20'000'000'000ul}) {
        const Rate rate = rate_of(hz);
        for (unsigned i = 0; i < 1000; ++i) {
            const uint64_t ticks = random() >> (rate.shift > 0 ? rate.shift : 0) >> i % 32;
            UNSIGNED_LONGLONGS_EQUAL(nanoseconds_for(ticks, rate),
                                     nanoseconds_for(ticks, right_shift_of(rate), factor_of(rate)));
        }
    }
}

TEST(ClockMath, does_not_overflow_in_a_century)
{
    const Rate rate = rate_of(3'000'000'000);
    const uint64_t century_s = 100ul * 366 * 24 * 3600;
    const uint64_t ns = nanoseconds_for(3'000'000'000 * century_s, rate);
    CHECK(ns / nanoseconds_per_second - (century_s - 10) < 20);
}

TEST(ClockMath, finds_the_first_tick_of_a_time)
{
    std::mt19937_64 random(1);
    for (const uint64_t hz : {25'000'000ul, 999'999'999ul, 1'000'000'000ul, 2'596'146'001ul, 5'700'000'000ul}) {
        const Rate rate = rate_of(hz);
        for (int i = 0; i < 2000; ++i) {
            const uint64_t time = random() >> (8 + random() % 50);
            const uint64_t ticks = ticks_for(time, rate);
            CHECK(nanoseconds_for(ticks, rate) >= time);
            // Below 1 GHz one shift groups ticks, above it several ticks share a nanosecond.
            const uint64_t step = rate.shift < 0 ? uint64_t{1} << -rate.shift : 1;
            if (ticks >= step)
                CHECK(nanoseconds_for(ticks - step, rate) < time);
        }
        UNSIGNED_LONGLONGS_EQUAL(0, ticks_for(0, rate));
    }
}

TEST(ClockMath, bounds_times_that_are_never)
{
    const Rate rate = rate_of(2'000'000'000);
    UNSIGNED_LONGLONGS_EQUAL(ticks_for(uint64_t{1} << 62, rate), ticks_for(~uint64_t{0}, rate));
}

TEST(ClockMath, multiplies_and_divides_in_wide_arithmetic)
{
    UNSIGNED_LONGLONGS_EQUAL(6, multiply_divide(2, 9, 3));
    UNSIGNED_LONGLONGS_EQUAL(2'600'000'000, multiply_divide(5'200'000, 1'000'000'000'000'000, 2'000'000'000'000));
}

TEST(ClockMath, reads_dates_in_every_form_of_the_chip)
{
    // 2024-02-29 23:59:58 UTC
    const uint64_t expected = 1'709'251'198;
    CHECK(expected == seconds_since_1970({0x58, 0x59, 0x23, 0x29, 0x02, 0x24, false, true}));
    CHECK(expected == seconds_since_1970({58, 59, 23, 29, 2, 24, true, true}));
    CHECK(expected == seconds_since_1970({0x58, 0x59, 0x80 | 0x11, 0x29, 0x02, 0x24, false, false}));
    CHECK(expected == seconds_since_1970({58, 59, 0x80 | 11, 29, 2, 24, true, false}));
}

TEST(ClockMath, knows_noon_and_midnight_on_a_chip_of_12_hours)
{
    const uint64_t day = *seconds_since_1970({0, 0, 0, 1, 1, 30, true, true});
    CHECK(day == seconds_since_1970({0, 0, 12, 1, 1, 30, true, false}));
    CHECK(day + 12 * 3600 == seconds_since_1970({0, 0, 0x80 | 12, 1, 1, 30, true, false}));
}

TEST(ClockMath, knows_the_first_and_last_second_of_its_century)
{
    CHECK(946'684'800 == seconds_since_1970({0, 0, 0, 1, 1, 0, true, true}));
    CHECK(4'102'444'799 == seconds_since_1970({59, 59, 23, 31, 12, 99, true, true}));
}

TEST(ClockMath, refuses_what_is_no_date)
{
    CHECK_FALSE(seconds_since_1970({0, 0, 0, 0, 1, 24, true, true}).has_value());
    CHECK_FALSE(seconds_since_1970({0, 0, 0, 30, 2, 24, true, true}).has_value());
    CHECK_FALSE(seconds_since_1970({0, 0, 0, 29, 2, 23, true, true}).has_value());
    CHECK_FALSE(seconds_since_1970({0, 0, 0, 1, 13, 24, true, true}).has_value());
    CHECK_FALSE(seconds_since_1970({0, 0, 0, 1, 0, 24, true, true}).has_value());
    CHECK_FALSE(seconds_since_1970({0, 0, 24, 1, 1, 24, true, true}).has_value());
    CHECK_FALSE(seconds_since_1970({0, 60, 0, 1, 1, 24, true, true}).has_value());
    CHECK_FALSE(seconds_since_1970({0, 0, 0, 1, 1, 100, true, true}).has_value());
    CHECK_FALSE(seconds_since_1970({0x5a, 0, 0, 1, 1, 0x24, false, true}).has_value());
    CHECK_FALSE(seconds_since_1970({0, 0, 13, 1, 1, 24, true, false}).has_value());
    CHECK_FALSE(seconds_since_1970({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, true, true}).has_value());
}
