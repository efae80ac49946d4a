// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/runtime/timer_queue.hpp"

#include <CppUTest/TestHarness.h>

#include <string>

namespace bulkhead {

namespace {

TimerQueue* queue;
std::string fired;

}  // namespace

void Timer::stop() { queue->remove(*this); }
void Timer::start(Time deadline) { (void)queue->insert(*this, deadline); }

namespace {

Time at(int64_t ns) { return Time(Duration(ns)); }

template <char name>
void fire(void*)
{
    fired += name;
}

TEST_GROUP(timer_queue)
{
    TimerQueue timers;
    Timer a{fire<'a'>, nullptr}, b{fire<'b'>, nullptr}, c{fire<'c'>, nullptr};

    void setup() override
    {
        queue = &timers;
        fired.clear();
    }
    unsigned run(int64_t now)
    {
        return timers.run_due([now] { return at(now); });
    }
};

TEST(timer_queue, timers_fire_in_the_order_of_their_deadlines)
{
    CHECK(timers.insert(b, at(20)));
    CHECK(timers.insert(a, at(10)));
    CHECK_FALSE(timers.insert(c, at(30)));
    CHECK_EQUAL(0u, run(9));
    CHECK_EQUAL(1u, run(10));
    CHECK_EQUAL(2u, run(100));
    STRCMP_EQUAL("abc", fired.c_str());
    POINTERS_EQUAL(nullptr, timers.first());
}

TEST(timer_queue, equal_deadlines_fire_in_the_order_of_their_start)
{
    (void)timers.insert(c, at(5));
    (void)timers.insert(a, at(5));
    run(5);
    STRCMP_EQUAL("ca", fired.c_str());
}

TEST(timer_queue, starting_again_moves_a_timer)
{
    (void)timers.insert(a, at(10));
    (void)timers.insert(b, at(20));
    CHECK_FALSE(timers.insert(a, at(30)));
    run(25);
    STRCMP_EQUAL("b", fired.c_str());
    CHECK(a.running());
    run(30);
    CHECK_FALSE(a.running());
}

TEST(timer_queue, a_stopped_timer_does_not_fire)
{
    (void)timers.insert(a, at(10));
    (void)timers.insert(b, at(10));
    a.stop();
    a.stop();
    run(10);
    STRCMP_EQUAL("b", fired.c_str());
}

TEST(timer_queue, a_timer_that_ends_is_forgotten)
{
    {
        Timer short_lived{fire<'x'>, nullptr};
        (void)timers.insert(short_lived, at(1));
    }
    CHECK_EQUAL(0u, run(10));
}

TEST(timer_queue, a_function_may_start_its_timer_again)
{
    struct Repeating {
        int64_t next = 10;
        Timer timer{[](void* self) {
                        auto* repeating = static_cast<Repeating*>(self);
                        repeating->next += 10;
                        repeating->timer.start(at(repeating->next));
                    },
                    this};
    } repeating;
    repeating.timer.start(at(10));
    CHECK_EQUAL(1u, run(10));
    CHECK_EQUAL(1u, run(20));
    LONGS_EQUAL(30, repeating.timer.deadline().time_since_epoch().count());
}

TEST(timer_queue, one_that_always_starts_itself_in_the_past_does_not_keep_the_vcpu)
{
    struct Endless {
        Timer timer{[](void* self) { static_cast<Endless*>(self)->timer.start(at(0)); }, this};
    } endless;
    endless.timer.start(at(0));
    CHECK_EQUAL(64u, run(1));
    CHECK(endless.timer.running());
}

}  // namespace

}  // namespace bulkhead
