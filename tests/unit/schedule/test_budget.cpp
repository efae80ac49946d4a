// SPDX-License-Identifier: BSD-2-Clause
// The rule of budgets by itself: core/schedule_budget.hpp.
#include "core/schedule_budget.hpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

namespace {

constexpr uint64_t ms = 1'000'000;

Nanoseconds at(uint64_t time_ms) { return Nanoseconds(100 * ms + time_ms * ms); }

}  // namespace

TEST_GROUP(Budget) {
    ScheduleEntity entity{};
    void setup() override
    {
        entity.budget_ns = 2 * ms;
        entity.period_ns = 10 * ms;
    }
};

TEST(Budget, the_first_time_on_the_CPU_begins_a_period)
{
    open_budget(entity, at(0));
    CHECK_EQUAL(2 * ms, entity.budget_left_ns);
    CHECK(entity.budget_end == at(10));
}

TEST(Budget, what_is_left_is_kept_while_its_rate_is_not_above_the_plans)
{
    open_budget(entity, at(0));
    CHECK(charge_budget(entity, 1 * ms, at(1)));
    open_budget(entity, at(5));          // 1 of 5 ms: exactly the plan's rate
    CHECK_EQUAL(1 * ms, entity.budget_left_ns);
    CHECK(entity.budget_end == at(10));
}

TEST(Budget, a_rest_that_would_be_used_faster_begins_a_new_period)
{
    open_budget(entity, at(0));
    CHECK(charge_budget(entity, 1 * ms, at(1)));
    open_budget(entity, at(6));          // 1 of 4 ms
    CHECK_EQUAL(2 * ms, entity.budget_left_ns);
    CHECK(entity.budget_end == at(16));
}

TEST(Budget, a_sleeper_begins_a_new_period_after_its_end)
{
    open_budget(entity, at(0));
    CHECK(charge_budget(entity, 1 * ms, at(1)));
    open_budget(entity, at(10));
    CHECK_EQUAL(2 * ms, entity.budget_left_ns);
    CHECK(entity.budget_end == at(20));
}

TEST(Budget, a_few_microseconds_on_the_way_do_not_move_the_grid)
{
    begin_period(entity, at(10));
    open_budget(entity, at(10) + 15'000);
    CHECK(entity.budget_end == at(20));
    open_budget(entity, at(10) + 25'000);
    CHECK(entity.budget_end == at(20) + 25'000);
}

TEST(Budget, running_out_before_the_end_stops_it)
{
    open_budget(entity, at(0));
    CHECK_FALSE(charge_budget(entity, 2 * ms, at(2)));
    CHECK_EQUAL(0, entity.budget_left_ns);
    CHECK(entity.budget_end == at(10));
}

TEST(Budget, more_than_the_rest_counts_as_the_rest)
{
    open_budget(entity, at(0));
    CHECK_FALSE(charge_budget(entity, 3 * ms, at(3)));
    CHECK_EQUAL(0, entity.budget_left_ns);
}

TEST(Budget, running_out_at_the_end_goes_on_at_once)
{
    begin_period(entity, at(0));
    CHECK(charge_budget(entity, 2 * ms, at(10)));
    CHECK_EQUAL(2 * ms, entity.budget_left_ns);
    CHECK(entity.budget_end == at(20));
}

TEST(Budget, the_plans_largest_numbers_do_not_overflow)
{
    entity.budget_ns = uint64_t{0xfffffffe} * 1000;
    entity.period_ns = uint64_t{0xffffffff} * 1000;
    open_budget(entity, at(0));
    CHECK(charge_budget(entity, 1, at(0) + 1));
    open_budget(entity, at(0) + 2);
    CHECK_EQUAL(entity.budget_ns - 1, entity.budget_left_ns);
}
