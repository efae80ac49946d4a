// SPDX-License-Identifier: BSD-2-Clause
// Which slot starts, and what the selector remembers.
#include "boot/loader/selector.hpp"

#include "boot/loader/boot_state.cpp"
#include "boot/loader/selector.cpp"

#include <cstring>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;
using namespace bulkhead::loader;

TEST_GROUP(Selector)
{
    BootState state = newest_state({}, {});
    Candidates candidates{{{true, 5, 0, 3}, {true, 6, 0, 3}}};
    boot::Mailbox mailbox{};

    void setup() override { static_cast<void>(note_last_run(state, candidates, mailbox)); }
    uint32_t first() { return start_order(state, candidates).slots[0]; }
    void leave(uint32_t slot, boot::Health health, uint32_t request = boot::no_request)
    {
        mailbox = {0, 0, slot, candidates[slot].version, health, request};
        mailbox.seal();
        static_cast<void>(note_last_run(state, candidates, mailbox));
        mailbox = {};
    }
    // What the selector does at one start after a power failure: nothing is left of the last run.
    uint32_t cold_start()
    {
        static_cast<void>(note_last_run(state, candidates, mailbox));
        const uint32_t slot = first();
        static_cast<void>(note_start(state, candidates, slot));
        return slot;
    }
};

TEST(Selector, starts_the_newer_slot)
{
    LONGS_EQUAL(1, first());
    candidates[0].version = 7;
    LONGS_EQUAL(0, first());
}

TEST(Selector, starts_the_only_usable_slot)
{
    candidates[1].usable = false;
    const Order order = start_order(state, candidates);
    LONGS_EQUAL(1, order.count);
    LONGS_EQUAL(0, order.slots[0]);
}

TEST(Selector, starts_nothing_when_nothing_is_usable)
{
    candidates[0].usable = candidates[1].usable = false;
    LONGS_EQUAL(0, start_order(state, candidates).count);
}

TEST(Selector, falls_back_when_the_tries_are_used_up)
{
    LONGS_EQUAL(1, cold_start());
    LONGS_EQUAL(1, cold_start());
    LONGS_EQUAL(1, cold_start());
    LONGS_EQUAL(0, cold_start());
    CHECK(state.slots[1].status == SlotStatus::failed);
}

TEST(Selector, keeps_a_slot_that_reported_itself_healthy)
{
    static_cast<void>(cold_start());
    leave(1, boot::Health::healthy);
    CHECK(state.slots[1].status == SlotStatus::confirmed);
    for (int i = 0; i < 10; ++i)
        LONGS_EQUAL(1, cold_start());
}

TEST(Selector, falls_back_from_a_confirmed_slot_that_became_unhealthy_for_good)
{
    leave(1, boot::Health::healthy);
    leave(1, boot::Health::unhealthy);
    CHECK(state.slots[1].status == SlotStatus::trial);
    LONGS_EQUAL(1, cold_start());
    LONGS_EQUAL(1, cold_start());
    LONGS_EQUAL(0, cold_start());
}

TEST(Selector, raises_the_lowest_version_only_once_the_slot_is_healthy)
{
    candidates[1].minimum_version = 6;
    LONGS_EQUAL(2, start_order(state, candidates).count);
    leave(1, boot::Health::healthy);
    const Order order = start_order(state, candidates);
    LONGS_EQUAL(1, order.count);
    LONGS_EQUAL(1, order.slots[0]);
}

TEST(Selector, does_not_start_what_was_rolled_back)
{
    state.lowest_version = 6;
    candidates[0].version = 5;
    candidates[1].version = 4;
    LONGS_EQUAL(0, start_order(state, candidates).count);
}

TEST(Selector, gives_a_new_image_in_a_slot_new_tries)
{
    for (int i = 0; i < 4; ++i)
        static_cast<void>(cold_start());
    CHECK(state.slots[1].status == SlotStatus::failed);
    candidates[1].version = 8;
    LONGS_EQUAL(1, cold_start());
    LONGS_EQUAL(2, state.slots[1].tries_left);
}

TEST(Selector, obeys_the_operator)
{
    leave(1, boot::Health::healthy, 0);
    LONGS_EQUAL(0, first());
    leave(0, boot::Health::healthy, 1);
    LONGS_EQUAL(1, first());
}

TEST(Selector, forgets_the_operators_choice_when_a_new_image_arrives)
{
    leave(1, boot::Health::healthy, 0);
    candidates[1].version = 9;
    LONGS_EQUAL(1, cold_start());
}

TEST(Selector, gives_a_failed_slot_that_the_operator_wants_new_tries)
{
    for (int i = 0; i < 4; ++i)
        static_cast<void>(cold_start());
    leave(0, boot::Health::healthy, 1);
    CHECK(state.slots[1].status == SlotStatus::trial);
    LONGS_EQUAL(1, first());
}

TEST(Selector, counts_no_tries_where_there_is_nothing_to_fall_back_to)
{
    candidates[1].usable = false;
    for (int i = 0; i < 10; ++i)
        LONGS_EQUAL(0, cold_start());
    CHECK(state.slots[0].status == SlotStatus::trial);
    candidates[1].usable = true;
    LONGS_EQUAL(1, cold_start());
}

TEST(Selector, counts_a_run_that_ended_before_it_was_judged)
{
    leave(1, boot::Health::healthy);
    leave(1, boot::Health::unknown);
    CHECK(state.slots[1].status == SlotStatus::trial);
}

TEST(Selector, starts_a_failed_slot_if_there_is_nothing_else)
{
    candidates[0].usable = false;
    for (int i = 0; i < 10; ++i)
        LONGS_EQUAL(1, cold_start());
}

TEST(Selector, does_not_believe_a_mailbox_with_a_wrong_checksum)
{
    mailbox = {0, 0, 1, 6, boot::Health::healthy, 0};
    mailbox.seal();
    mailbox.slot = 0;
    CHECK_FALSE(note_last_run(state, candidates, mailbox));
    CHECK(state.slots[1].status == SlotStatus::trial);
}

TEST(Selector, does_not_believe_a_report_about_another_version)
{
    mailbox = {0, 0, 1, 5, boot::Health::healthy, boot::no_request};
    mailbox.seal();
    static_cast<void>(note_last_run(state, candidates, mailbox));
    CHECK(state.slots[1].status == SlotStatus::trial);
}

TEST(Selector, ignores_slots_and_requests_that_do_not_exist)
{
    mailbox = {0, 0, 77, 6, boot::Health::healthy, 99};
    mailbox.seal();
    CHECK_FALSE(note_last_run(state, candidates, mailbox));
}

TEST_GROUP(BootState)
{
};

TEST(BootState, is_written_to_the_older_copy_in_turn)
{
    BootState copies[2]{};
    BootState state = newest_state(copies[0], copies[1]);
    uint32_t last = 2;
    for (uint64_t i = 1; i < 9; ++i) {
        state.lowest_version = i;
        const uint32_t copy = seal_state(state);
        CHECK(copy != last);
        last = copy;
        copies[copy] = state;
        UNSIGNED_LONGLONGS_EQUAL(i, newest_state(copies[0], copies[1]).lowest_version);
    }
}

TEST(BootState, of_which_one_copy_is_cut_off_at_any_byte_is_one_of_the_two)
{
    BootState copies[2]{};
    BootState state = newest_state(copies[0], copies[1]);
    state.lowest_version = 1;
    copies[seal_state(state)] = state;
    state.lowest_version = 2;
    const uint32_t second = seal_state(state);
    for (size_t cut = 0; cut <= sizeof(state); ++cut) {
        BootState torn{};
        memcpy(&torn, &state, cut);
        copies[second] = torn;
        const uint64_t version = newest_state(copies[0], copies[1]).lowest_version;
        CHECK(version == 1 || (version == 2 && memcmp(&torn, &state, sizeof(state)) == 0));
    }
    UNSIGNED_LONGLONGS_EQUAL(2, newest_state(copies[0], copies[1]).lowest_version);
}

TEST(BootState, begins_anew_when_both_copies_are_damaged)
{
    BootState garbage;
    memset(&garbage, 0xff, sizeof(garbage));
    const BootState state = newest_state(garbage, garbage);
    UNSIGNED_LONGLONGS_EQUAL(0, state.lowest_version);
    LONGS_EQUAL(no_slot, state.preferred);
}
