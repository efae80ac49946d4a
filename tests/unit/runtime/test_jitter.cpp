// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/plc/jitter.hpp"
#include "pvdrivers/plc/tank.hpp"

#include <CppUTest/TestHarness.h>

namespace {

using plc::Jitter;

TEST_GROUP(jitter)
{
    Jitter jitter;
};

TEST(jitter, nothing_measured_is_zero)
{
    CHECK_EQUAL(0u, jitter.min_ns());
    CHECK_EQUAL(0u, jitter.mean_ns());
    CHECK_EQUAL(0u, jitter.max_ns());
    CHECK_EQUAL(0u, jitter.per_mille_ns(999));
}

TEST(jitter, minimum_mean_and_maximum_are_exact)
{
    for (const uint64_t late : {1500u, 2500u, 5000u})
        jitter.add(late);
    CHECK_EQUAL(1500u, jitter.min_ns());
    CHECK_EQUAL(3000u, jitter.mean_ns());
    CHECK_EQUAL(5000u, jitter.max_ns());
}

TEST(jitter, the_99_9th_percentile_leaves_one_of_a_thousand_out)
{
    for (unsigned i = 0; i < 998; ++i)
        jitter.add(1200);
    jitter.add(7300);
    jitter.add(900'000);
    CHECK_EQUAL(8000u, jitter.per_mille_ns(999));
    CHECK_EQUAL(900'000u, jitter.per_mille_ns(1000));
    CHECK_EQUAL(2000u, jitter.per_mille_ns(500));
}

TEST(jitter, beyond_the_fine_range_a_percentile_is_the_maximum)
{
    jitter.add(50'000'000);
    CHECK_EQUAL(50'000'000u, jitter.per_mille_ns(999));
}

TEST(jitter, each_value_is_in_one_bar)
{
    for (const uint64_t us : {0u, 1u, 4u, 999u, 1000u, 5000u})
        jitter.add(us * 1000);
    CHECK_EQUAL(1u, jitter.histogram()[0]);
    CHECK_EQUAL(1u, jitter.histogram()[1]);         // 1 us is not below 1 us
    CHECK_EQUAL(1u, jitter.histogram()[2]);
    CHECK_EQUAL(1u, jitter.histogram()[9]);
    CHECK_EQUAL(2u, jitter.histogram()[10]);
}

TEST(jitter, clearing_begins_anew)
{
    jitter.add(5000);
    jitter.clear();
    jitter.add(7000);
    CHECK_EQUAL(1u, jitter.count());
    CHECK_EQUAL(7000u, jitter.min_ns());
}

TEST_GROUP(control){};

TEST(control, the_level_reaches_the_set_point_and_stays)
{
    plc::Tank tank;
    plc::Controller controller;
    double worst = 0;
    for (unsigned cycle = 0; cycle < 60'000; ++cycle) {
        tank.step(0.001, controller.step(0.001, 1'000'000, tank.level_um()));
        if (cycle > 40'000)
            worst = std::max(worst, std::abs(tank.level_um() - 1'000'000.0));
    }
    CHECK(worst < 20'000);
}

}  // namespace
