// SPDX-License-Identifier: BSD-2-Clause
// What an image in a slot tells the selector of the next start, and when the box restarts for it.
#include "core/slot_health.hpp"

#include "core/boot_allocator.hpp"
#include "core/log.hpp"
#include "core/partition.hpp"
#include "core/schedule.hpp"
#include "core/slot_mailbox.hpp"
#include "machine/power.hpp"

#include <string>
#include <vector>

namespace bulkhead {

namespace {
bool memory_is_ours;
bool rebooted;
std::vector<Partition> partitions(2);
plan::Partition partition_plan{};
}

bool take_free_memory(FrameRange) { return memory_is_ours; }
void log(const char*, ...) {}
std::span<Partition> all_partitions() { return partitions; }
void set_watchdog_event(Nanoseconds) {}
namespace machine {
// The real one does not return; a test goes on.
[[noreturn]] void reboot() { throw std::string("reboot"); }
}

}  // namespace bulkhead

#include "core/slot_health.cpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

TEST_GROUP(SlotHealth)
{
    static constexpr uint64_t s = 1'000'000'000;
    BootInfo info{};

    void setup() override
    {
        memory_is_ours = true;
        rebooted = false;
        for (Partition& partition : partitions) {
            partition.plan = &partition_plan;
            partition.health = {};
        }
        note() = {};
        info.slot.number = 1;
        info.slot.version = 7;
        info.slot.on_trial = true;
        info.slot.other_version = 6;
        fake::tsc = 100 * s;
    }
    static boot::Mailbox& note() { return *machine::physical_pointer<boot::Mailbox>(HostPhysical(boot::mailbox_physical)); }
    void start(uint32_t health_s = 60)
    {
        reserve_slot_note();
        init_slot_health(info, health_s);
        start_slot_health();
    }
    Nanoseconds look_after(uint64_t seconds)
    {
        fake::tsc = (100 + seconds) * s;
        try {
            return check_slot_health(machine::now());
        } catch (const std::string&) {
            rebooted = true;
            return never;
        }
    }
};

TEST(SlotHealth, leaves_a_note_at_the_start_that_nothing_is_known)
{
    start();
    CHECK_TRUE(note().is_sound());
    LONGS_EQUAL(1, note().slot);
    UNSIGNED_LONGLONGS_EQUAL(7, note().version);
    CHECK(note().health == boot::Health::unknown);
    LONGS_EQUAL(boot::no_request, note().request);
}

TEST(SlotHealth, is_healthy_when_nothing_crashed_in_time_and_restarts_once_to_confirm)
{
    start();
    UNSIGNED_LONGLONGS_EQUAL(160 * s, look_after(59).raw());
    CHECK(note().health == boot::Health::unknown);
    UNSIGNED_LONGLONGS_EQUAL(161 * s, look_after(60).raw());
    CHECK(note().health == boot::Health::healthy);
    CHECK_FALSE(rebooted);
    look_after(61);
    CHECK_TRUE(rebooted);
}

TEST(SlotHealth, does_not_restart_what_had_proved_itself)
{
    info.slot.on_trial = false;
    start();
    CHECK(look_after(60) == never);
    CHECK(note().health == boot::Health::healthy);
}

TEST(SlotHealth, does_not_restart_where_there_is_no_other_image)
{
    info.slot.other_version = 0;
    start();
    CHECK(look_after(60) == never);
    CHECK(note().health == boot::Health::healthy);
}

TEST(SlotHealth, gives_way_as_soon_as_a_partition_crashed_on_trial)
{
    start();
    partitions[1].health.crashes = 1;
    UNSIGNED_LONGLONGS_EQUAL(103 * s, look_after(2).raw());
    CHECK(note().health == boot::Health::unhealthy);
    look_after(3);
    CHECK_TRUE(rebooted);
}

TEST(SlotHealth, takes_a_watchdog_as_a_crash)
{
    start();
    partitions[0].health.watchdog_fires = 1;
    look_after(2);
    CHECK(note().health == boot::Health::unhealthy);
}

TEST(SlotHealth, only_reports_a_crash_of_an_image_that_had_proved_itself)
{
    info.slot.on_trial = false;
    start();
    partitions[1].health.crashes = 1;
    UNSIGNED_LONGLONGS_EQUAL(160 * s, look_after(2).raw());
    CHECK(look_after(60) == never);
    CHECK(note().health == boot::Health::unhealthy);
}

TEST(SlotHealth, keeps_the_operators_choice_when_it_judges)
{
    start();
    CHECK_TRUE(request_slot(0));
    look_after(60);
    CHECK_TRUE(note().is_sound());
    LONGS_EQUAL(0, note().request);
    LONGS_EQUAL(0, slot_view().requested);
}

TEST(SlotHealth, does_not_count_a_reset_by_the_operator)
{
    start();
    CHECK_TRUE(request_slot(0));
    forget_unjudged_slot();
    CHECK_TRUE(note().is_sound());
    CHECK(note().slot > 1);
    LONGS_EQUAL(0, note().request);
}

TEST(SlotHealth, leaves_memory_alone_that_is_not_its_own)
{
    memory_is_ours = false;
    start();
    CHECK_FALSE(note().is_sound());
    CHECK_FALSE(request_slot(0));
    CHECK(look_after(60) == never);
}

TEST(SlotHealth, says_and_does_nothing_without_a_slot)
{
    info.slot.number = BootSlot::none;
    start();
    CHECK(look_after(1000) == never);
    CHECK(slot_view().health == SlotHealth::no_slot);
    CHECK_FALSE(request_slot(0));
    CHECK_FALSE(note().is_sound());
}
