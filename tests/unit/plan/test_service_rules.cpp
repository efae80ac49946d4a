// SPDX-License-Identifier: BSD-2-Clause
// The rules of a plan about services and shared memory.
#include "rules_fixture.hpp"

// --- The machine service --------------------------------------------------------------------------------

namespace {

Checked check_pvh(const std::string& lines, const std::string& rest = "", const std::string& name = "a", const std::string& more = "")
{
    return check_source("/dts-v1/; / { compatible = \"bulkhead,plan\"; " + rest + " partitions {\n" + name +
                        " { type = \"pvh\"; memory = <64>; kernel = \"k\"; " + lines + " };\n" + more + " }; };");
}

}  // namespace

TEST(Rules, xapic_mode_brings_a_machine_service_of_the_partitions_own)
{
    const auto checked = check_pvh("store = \"none\"; apic = \"xapic\"; priority = <20>; cpus = \"1-2\"; vcpus = <2>;");
    if (!checked.fine())
        FAIL(checked.report.text().c_str());
    LONGS_EQUAL(2, checked.system.partitions.size());
    const auto& service = checked.system.partitions.back();
    STRCMP_EQUAL("machine:a", service.name.value.c_str());
    STRCMP_EQUAL("machine.elf", service.kernel.value.c_str());
    CHECK(service.is_service && is_machine(service) && !service.has_store.value);
    LONGS_EQUAL(BULKHEAD_DOMAIN_MACHINE, service.domain);
    LONGS_EQUAL(21, service.priority.value);
    CHECK(service.placement == std::vector<uint8_t>{1});
    CHECK(service.on_crash.value == Action::restart);
    LONGS_EQUAL(1 << 3, services_of(checked.first()));
    LONGS_EQUAL(0, services_of(service));
}

TEST(Rules, x2apic_mode_is_the_default_and_needs_no_service)
{
    for (const auto* lines : {"store = \"none\";", "store = \"none\"; apic = \"x2apic\";"}) {
        const auto checked = check_pvh(lines);
        CHECK(checked.fine());
        LONGS_EQUAL(1, checked.system.partitions.size());
        CHECK_FALSE(checked.first().apic_by_page.value);
    }
}

TEST(Rules, each_xapic_partition_has_its_own_service_and_a_plan_has_room_for_five)
{
    const auto more = [](unsigned count) {
        std::string text;
        for (unsigned i = 0; i < count; ++i)
            text += "p" + std::to_string(i) + " { type = \"pvh\"; memory = <64>; kernel = \"k\"; store = \"none\"; apic = \"xapic\"; };\n";
        return text;
    };
    const auto five = check_pvh("store = \"none\"; apic = \"xapic\";", "", "a", more(4));
    CHECK(five.fine());
    LONGS_EQUAL(10, five.system.partitions.size());
    LONGS_EQUAL(BULKHEAD_DOMAIN_MACHINE + 4, five.system.partitions.back().domain);
    LONGS_EQUAL(1 << 7, services_of(five.system.partitions[4]));
    CHECK_SAYS(check_pvh("store = \"none\"; apic = \"xapic\";", "", "a", more(5)),
               "plan.dts:7: error: apic is \"xapic\" in more than 5 partitions");
}

TEST(Rules, apic_is_one_of_two_words_and_only_of_pvh)
{
    CHECK_SAYS(check_pvh("apic = \"xpic\";"), "plan.dts:2: error: apic is \"xpic\"; did you mean \"xapic\"?");
    CHECK_SAYS(check_pvh("apic = \"none\";"), "apic is \"none\"; \"x2apic\" or \"xapic\" is expected");
    CHECK_SAYS(check_partition("apic = \"xapic\";"), "plan.dts:2: error: apic is of no use in a partition of type \"pv\"");
}

TEST(Rules, the_machine_service_is_named_after_its_partition)
{
    CHECK_FINE(check_pvh("apic = \"xapic\";", "", std::string(23, 'n')));
    CHECK_SAYS(check_pvh("apic = \"xapic\";", "", std::string(24, 'n')),
               "the partition's name has 24 characters; with that at most 23 are possible");
}

TEST(Rules, the_plan_may_say_what_machine_services_get)
{
    const auto checked = check_pvh("apic = \"xapic\"; store = \"none\";",
                                   "services { machine { cpus = \"3\"; priority = <25>; budget = <700>; period = <9000>; memory = <9>; }; };");
    if (!checked.fine())
        FAIL(checked.report.text().c_str());
    const auto& service = checked.system.partitions.back();
    LONGS_EQUAL(25, service.priority.value);
    LONGS_EQUAL(9, service.memory_mib.value);
    CHECK(service.placement == std::vector<uint8_t>{3});
    CHECK_SAYS(check_root("services { machine { memory = <9>; }; };"), "no partition has apic = \"xapic\"; the service is left out");
}

// --- Services ----------------------------------------------------------------------------------------

TEST(Rules, a_store_is_added_when_a_partition_has_one)
{
    const auto checked = check_partition("");
    CHECK(checked.fine());
    LONGS_EQUAL(2, checked.system.partitions.size());
    const auto& store = checked.system.partitions.back();
    STRCMP_EQUAL("store", store.name.value.c_str());
    CHECK(store.is_service);
    LONGS_EQUAL(0x7000, store.domain);
    LONGS_EQUAL(17, store.priority.value);
    LONGS_EQUAL(5000, store.budget_us.value);
    LONGS_EQUAL(10000, store.period_us.value);
    LONGS_EQUAL(6, store.memory_mib.value);
    LONGS_EQUAL(512, store.persistent_frames);
    LONGS_EQUAL(1, store.placement.size());
    LONGS_EQUAL(0, store.placement.front());
    CHECK(store.on_crash.value == Action::restart && store.on_reboot.value == Action::restart);
    LONGS_EQUAL(8, store_remote_port(checked.first()));
}

TEST(Rules, no_store_is_added_when_nobody_has_one)
{
    LONGS_EQUAL(1, check_partition("store = \"none\";").system.partitions.size());
    LONGS_EQUAL(3, check_partition("store = \"none\";", "", partition("b", "store = \"default\";")).system.partitions.size());
    CHECK_SAYS(check_partition("store = \"none\";", "services { store { }; };"), "no partition has a store");
    CHECK_SAYS(check_partition("store = \"no\";"), "store is \"no\"; \"default\" or \"none\" is expected");
}

TEST(Rules, the_plan_may_say_what_a_service_gets)
{
    const auto checked = check_partition("", "services { store { cpus = \"3\"; priority = <20>; budget = <700>; period = <9000>; memory = <9>; }; };");
    CHECK(checked.fine());
    const auto& store = checked.system.partitions.back();
    LONGS_EQUAL(3, store.placement.front());
    LONGS_EQUAL(20, store.priority.value);
    LONGS_EQUAL(700, store.budget_us.value);
    LONGS_EQUAL(9000, store.period_us.value);
    LONGS_EQUAL(5 * 256, store.persistent_frames);
    CHECK_SAYS(check_root("services { store { memory = <4>; }; };"), "memory is 4 MiB, too little for \"store\"; at least 5 MiB");
    CHECK_SAYS(check_root("services { store { cpus = \"0-1\"; }; };"), "cpus names 2 CPUs; service \"store\" has one vCPU");
    CHECK_SAYS(check_root("services { store { budget = <900>; period = <800>; }; };"), "budget is 900 us, more than the period");
    LONGS_EQUAL(400, check_root("services { store { period = <800>; }; };").system.partitions.back().budget_us.value);
    CHECK_SAYS(check_root("services { stor { }; };"), "did you mean \"store\"");
}

TEST(Rules, a_service_ranks_above_its_clients_and_below_realtime_partitions_of_its_cpu)
{
    const auto priority = [](const Checked& checked) { return unsigned{checked.system.partitions.back().priority.value}; };
    LONGS_EQUAL(21, priority(check_partition("priority = <20>;", "", partition("b", "priority = <3>;"))));
    LONGS_EQUAL(31, priority(check_partition("priority = <31>;")));
    LONGS_EQUAL(17, priority(check_partition("", "", partition("b", "cpus = \"0\"; realtime; priority = <25>;"))));
    LONGS_EQUAL(11, priority(check_partition("priority = <10>;", "", partition("b", "cpus = \"0\"; realtime; priority = <12>;"))));
    LONGS_EQUAL(17, priority(check_partition("", "", partition("b", "cpus = \"1\"; realtime; priority = <12>;"))));
    const auto squeezed = check_partition("priority = <10>;", "", partition("b", "cpus = \"0\"; realtime; priority = <9>; budget = <100>;"));
    LONGS_EQUAL(8, priority(squeezed));
    CHECK_SAYS(squeezed, "service \"store\" (priority 8) ranks below its clients: \"a\" (priority 10)");
}

TEST(Rules, a_service_goes_to_the_lowest_cpu_where_it_can_run)
{
    const auto cpu = [](const std::string& schedule, const std::string& lines = "") {
        return unsigned{check_partition(lines, schedule).system.partitions.back().placement.front()};
    };
    LONGS_EQUAL(1, cpu("schedule { cpu0 = \"a 4000\"; };"));
    LONGS_EQUAL(0, cpu("schedule { cpu0 = \"a 4000\", \"store 500\"; };"));
    CHECK_SAYS(check_partition("", "machine { cpus = <1>; }; schedule { cpu0 = \"a 4000\"; };"),
               "partition \"store\" has a vCPU on CPU 0 and no window there");
}

TEST(Rules, a_config_takes_the_ramdisks_place)
{
    const auto checked = check_partition("config { rate = <1000>; deep { name = \"x\"; }; };");
    CHECK(checked.fine());
    LONGS_EQUAL(1, checked.first().config->children.size());
    CHECK_SAYS(check_partition("ramdisk = \"r\"; config { };"), "has both a config, at");
    CHECK_SAYS(check_partition("confg { };"), "unknown node \"confg\"");
}

// --- Shared memory -----------------------------------------------------------------------------------

TEST(Rules, shared_memory_has_members_grants_and_a_port)
{
    const auto checked = check_partition("", "shared-memory { image { size = <5000>; writer = \"a\"; readers = \"b\"; }; "
                                             "log { size = <1>; writer = \"b\"; readers = \"a\"; }; };", partition("b"));
    CHECK(checked.fine());
    const auto& regions = checked.system.shared_memory;
    LONGS_EQUAL(2, regions.size());
    LONGS_EQUAL(2, regions[0].frames);
    LONGS_EQUAL(8, regions[0].first_grant);
    LONGS_EQUAL(1, regions[0].port);
    LONGS_EQUAL(10, regions[1].first_grant);
    LONGS_EQUAL(2, regions[1].port);
    LONGS_EQUAL(2, regions[0].members.size());
    CHECK(regions[0].members[0].writable && regions[0].members[0].partition == 0);
    CHECK(!regions[0].members[1].writable && regions[0].members[1].partition == 1);
}

TEST(Rules, two_writers_need_the_plans_leave)
{
    const std::string b = partition("b");
    const auto with = [&b](const std::string& lines) {
        return check_partition("", "shared-memory { image { size = <4096>; " + lines + " }; };", b);
    };
    CHECK_SAYS(with("writer = \"a\", \"b\";"), "shared memory \"image\" has 2 writers");
    CHECK_FINE(with("writer = \"a\", \"b\"; writers-may-share;"));
    CHECK_SAYS(with("writer = \"a\"; readers = \"b\"; writers-may-share;"), "says nothing without two writers");
    CHECK_SAYS(with("readers = \"a\", \"b\";"), "has no writer");
    CHECK_SAYS(with("writer = \"a\";"), "has no readers");
    CHECK_SAYS(with("writer = \"a\"; readers = \"bb\";"), "names \"bb\", which is no partition; did you mean \"b\"");
    CHECK_SAYS(with("writer = \"a\"; readers = \"a\";"), "names \"a\" twice");
}

TEST(Rules, shared_memory_has_a_size_within_bounds)
{
    const auto with = [](const std::string& lines) { return check_root("shared-memory { " + lines + " };"); };
    const std::string members = "writer = \"a\"; readers = \"a\";";
    CHECK_SAYS(with("image { " + members + " };"), "shared memory \"image\" has no \"size\"");
    CHECK_SAYS(with("image { size = <0>; " + members + " };"), "size is 0; from 1 to 16777216");
    CHECK_SAYS(with("image { size = <16777217>; " + members + " };"), "size is 16777217");
    CHECK_SAYS(with("one { size = <16777216>; }; two { size = <1>; };"), "together at most 16 MiB");
    CHECK_SAYS(with("9lives { size = <1>; };"), "\"9lives\" is not a name");
    CHECK_SAYS(with("image { size = <1>; reader = \"a\"; };"), "did you mean \"readers\"");
}
