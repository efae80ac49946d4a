// SPDX-License-Identifier: BSD-2-Clause
// Watchdogs: what is not fed in time ends a life.
#include "tests/unit/lifecycle/living_box.hpp"

using namespace bulkhead;

TEST_GROUP(Watchdog) {
    LivingBox box;
    void setup() override
    {
        calls.clear();
        slices = 1;
        done_slices.clear();
        holders.clear();
        build_fails = false;
        box.make_stopped({{10, {0, 1}}, {20, {0}}});
        box.plan(0).on_watchdog = plan::Action::restart;
        box.plan(1).flags = 0;
        box.start();
    }
    Partition& first() { return box.partition(0); }
};

TEST(Watchdog, two_can_be_created)
{
    CHECK_EQUAL(1, set_watchdog(first(), 0, 10));
    CHECK_EQUAL(2, set_watchdog(first(), 0, 10));
    CHECK_EQUAL(-XEN_ENOSPC, set_watchdog(first(), 0, 10));
}

TEST(Watchdog, ids_and_times_that_are_none_are_EINVAL)
{
    CHECK_EQUAL(-XEN_EINVAL, set_watchdog(first(), 3, 10));
    CHECK_EQUAL(-XEN_EINVAL, set_watchdog(first(), ~0u, 10));
    CHECK_EQUAL(-XEN_EINVAL, set_watchdog(first(), 1, 10));
    CHECK_EQUAL(-XEN_EINVAL, set_watchdog(first(), 1, 0));
    CHECK_EQUAL(-XEN_EINVAL, set_watchdog(first(), 0, 0));
}

TEST(Watchdog, one_that_is_not_fed_restarts_the_partition)
{
    CHECK_EQUAL(1, set_watchdog(first(), 0, 5));
    box.pass(5 * second - ms, second / 4);
    box.pass(2 * second, second / 4);
    CHECK_EQUAL(2, first().generation);
    CHECK_EQUAL(1, first().health.watchdog_fires);
    CHECK(box.logged("p0: did not feed its watchdog in time; restarting as on_watchdog says (life 2)"));
    CHECK(box.state(0) == PartitionState::running);
}

TEST(Watchdog, one_that_is_fed_is_silent)
{
    CHECK_EQUAL(1, set_watchdog(first(), 0, 5));
    for (int i = 0; i < 10; ++i) {
        box.pass(4 * second, second);
        CHECK_EQUAL(0, set_watchdog(first(), 1, 5));
    }
    CHECK_EQUAL(1, first().generation);
}

TEST(Watchdog, one_that_was_removed_is_silent_and_can_be_made_again)
{
    CHECK_EQUAL(1, set_watchdog(first(), 0, 5));
    CHECK_EQUAL(0, set_watchdog(first(), 1, 0));
    box.pass(20 * second, second);
    CHECK_EQUAL(1, first().generation);
    CHECK_EQUAL(1, set_watchdog(first(), 0, 5));
}

TEST(Watchdog, the_earlier_of_two_counts)
{
    CHECK_EQUAL(1, set_watchdog(first(), 0, 100));
    CHECK_EQUAL(2, set_watchdog(first(), 0, 2));
    box.pass(3 * second, second / 2);
    CHECK_EQUAL(2, first().generation);
}

TEST(Watchdog, it_fires_while_another_vCPU_has_the_CPU)
{
    CHECK_EQUAL(1, set_watchdog(first(), 0, 2));
    (void)request_start(box.partition(1));
    box.settle();
    POINTERS_EQUAL(&box.partition(1).vcpus[0], fake::cpus[0].current);
    box.pass(3 * second, second / 2);
    CHECK_EQUAL(1, first().health.watchdog_fires);
}

TEST(Watchdog, the_longest_time_does_not_overflow)
{
    CHECK_EQUAL(1, set_watchdog(first(), 0, ~0u));
    box.pass(2 * second, second);
    CHECK_EQUAL(1, first().generation);
}

TEST(Watchdog, a_pause_does_not_count)
{
    CHECK_EQUAL(1, set_watchdog(first(), 0, 5));
    box.pass(3 * second, second);
    (void)request_pause(first());
    box.settle();
    box.pass(20 * second, second);
    CHECK(box.state(0) == PartitionState::paused);
    (void)request_resume(first());
    box.settle();
    box.pass(1 * second, second);
    CHECK_EQUAL(1, first().generation);
    box.pass(2 * second, second / 2);
    CHECK_EQUAL(2, first().generation);
}

TEST(Watchdog, feeding_from_another_CPU_interrupts_the_home_only_when_it_must_look_earlier)
{
    fake::current_cpu = 1;
    fake::pokes.clear();
    CHECK_EQUAL(1, set_watchdog(first(), 0, 10));
    CHECK_EQUAL(1, fake::pokes.size());
    fake::tsc += second;
    for (int i = 0; i < 100; ++i) {
        CHECK_EQUAL(0, set_watchdog(first(), 1, 10));
        CHECK_EQUAL(0, set_watchdog(first(), 1, 0));
        CHECK_EQUAL(1, set_watchdog(first(), 0, 10));
    }
    CHECK_EQUAL(1, fake::pokes.size());
    CHECK_EQUAL(0, set_watchdog(first(), 1, 1));
    CHECK_EQUAL(2, fake::pokes.size());
}
