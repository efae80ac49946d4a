// SPDX-License-Identifier: BSD-2-Clause
// Every rule of a plan: what is accepted, what is refused and in which words, where.
#include "boot/plan/check.hpp"
#include "boot/plan/resolve.hpp"
#include "boot/plan/system_fields.hpp"

#include "boot/plan/annotation.cpp"
#include "boot/plan/check.cpp"
#include "boot/plan/check_schedule.cpp"
#include "boot/plan/cpu_list.cpp"
#include "boot/plan/hash.cpp"
#include "boot/plan/nearest.cpp"
#include "boot/plan/network_fields.cpp"
#include "boot/plan/part_fields.cpp"
#include "boot/plan/partition_fields.cpp"
#include "boot/plan/pci_words.cpp"
#include "boot/plan/policy_fields.cpp"
#include "boot/plan/process.cpp"
#include "boot/plan/report.cpp"
#include "boot/plan/resolve.cpp"
#include "boot/plan/services.cpp"
#include "boot/plan/shared_memory.cpp"
#include "boot/plan/source.cpp"
#include "boot/plan/system_fields.cpp"
#include "boot/plan/text.cpp"
#include "boot/plan/tree.cpp"
#include "boot/plan/value.cpp"
#include "boot/plan/vif.cpp"
#include "boot/plan/xl_names.cpp"
#include "boot/plan/xen_notes.hpp"
#include "tests/unit/plan/folder.hpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::tool;
using bulkhead::plan::Action;
using bulkhead::test::Folder;

namespace {

struct Checked {
    SystemModel system;
    Report report;

    [[nodiscard]] bool says(std::string_view part) const { return report.text().find(part) != std::string::npos; }
    [[nodiscard]] bool fine() const { return report.text().empty(); }
    [[nodiscard]] const PartitionModel& first() const { return system.partitions.front(); }
};

Checked check_source(const std::string& source)
{
    const Folder folder;
    const auto path = folder.write("plan.dts", source);
    const auto tree = load_source(path);
    Checked checked;
    if (!tree) {
        checked.report.error({path, 0}, tree.error());
        return checked;
    }
    checked.system = read_system(*tree, path, checked.report);
    resolve(checked.system, checked.report);
    check_system(checked.system, checked.report);
    return checked;
}

constexpr std::string_view required = "type = \"pv\"; memory = <64>; kernel = \"k\";";

// A plan whose first partition has these lines too.
Checked check_partition(const std::string& lines, const std::string& rest = "", const std::string& more_partitions = "")
{
    return check_source("/dts-v1/; / { compatible = \"bulkhead,plan\"; " + rest + " partitions { a { " +
                        std::string(required) + "\n" + lines + " };\n" + more_partitions + " }; };");
}

Checked check_root(const std::string& lines) { return check_partition("", lines); }

std::string partition(const std::string& name, const std::string& lines = "")
{
    return name + " { " + std::string(required) + lines + " };\n";
}

#define CHECK_SAYS(checked, words)                                                  \
    do {                                                                            \
        const auto result = (checked);                                              \
        if (!result.says(words))                                                    \
            FAIL((std::string("expected: ") + (words) + "\nbut:\n" + result.report.text()).c_str()); \
    } while (false)
#define CHECK_FINE(checked)                                  \
    do {                                                     \
        const auto result = (checked);                       \
        if (!result.fine())                                  \
            FAIL(result.report.text().c_str());              \
    } while (false)

}  // namespace

TEST_GROUP(Rules) {};

TEST(Rules, the_least_plan_is_fine_and_has_its_defaults)
{
    const auto checked = check_partition("");
    CHECK(checked.fine());
    const auto& a = checked.first();
    STRCMP_EQUAL("a", a.name.value.c_str());
    CHECK(a.memory_mib.value == 64 && a.maxmem_mib.value == 64);
    LONGS_EQUAL(1, a.vcpus.value);
    CHECK(a.placement == std::vector<uint8_t>{0});
    CHECK(a.on_poweroff.value == Action::destroy && a.on_reboot.value == Action::restart);
    CHECK(a.on_crash.value == Action::destroy && a.on_watchdog.value == Action::destroy);
    LONGS_EQUAL(default_priority, a.priority.value);
    LONGS_EQUAL(64, a.grant_frames.value);
    CHECK(a.autostart.value && !a.realtime.value && !a.pv_linear_pt.value);
    LONGS_EQUAL(0x1d, checked.system.escape.value);
    CHECK(checked.system.panic_reboots.value);
    LONGS_EQUAL(115200, checked.system.baud.value);
    STRCMP_EQUAL("plan", checked.system.model.value.c_str());
}

TEST(Rules, what_is_required_is_asked_for_with_an_example)
{
    const auto checked = check_source("/dts-v1/;\n/ {\n partitions {\n  a { }; }; };");
    CHECK_SAYS(checked, "plan.dts:2: error: the plan has no \"compatible\"");
    CHECK_SAYS(checked, "plan.dts:4: error: partition \"a\" has no \"type\"; such as type = \"pv\"");
    CHECK_SAYS(checked, "partition \"a\" has no \"memory\"");
    CHECK_SAYS(checked, "partition \"a\" has no \"kernel\"");
    CHECK_SAYS(check_source("/dts-v1/; / { compatible = \"bulkhead,plan\"; };"), "the plan has no partition");
    CHECK_SAYS(check_source("/dts-v1/; / { compatible = \"acme,board\"; };"), "\"bulkhead,plan\" marks a plan");
}

TEST(Rules, unknown_names_are_refused_everywhere_with_the_nearest_known_one)
{
    CHECK_SAYS(check_partition("memry = <1>;"), "plan.dts:2: error: unknown property \"memry\" in partition \"a\"; did you mean \"memory\"?");
    CHECK_SAYS(check_partition("sub { };"), "unknown node \"sub\" in partition \"a\"");
    CHECK_SAYS(check_root("modle = \"x\";"), "did you mean \"model\"?");
    CHECK_SAYS(check_root("network { };"), "unknown node \"network\" in the plan; did you mean \"networks\"?");
    CHECK_SAYS(check_root("networks { l { adress = \"\"; }; };"), "did you mean \"address\"?");
    CHECK_SAYS(check_root("services { swich { }; };"), "did you mean \"switch\"?");
    CHECK_SAYS(check_root("services { store { prio = <1>; }; };"), "did you mean \"priority\"?");
    CHECK_SAYS(check_root("machine { cpu = <1>; };"), "did you mean \"cpus\"?");
    CHECK_SAYS(check_root("networks { address = \"x\"; };"), "unknown property \"address\" in networks");
    CHECK_SAYS(check_root("schedule { frame = <1>; };"), "unknown property \"frame\" in schedule");
}

TEST(Rules, a_property_or_node_given_twice_is_refused)
{
    CHECK_SAYS(check_partition("vcpus = <1>;\nvcpus = <2>;"), "plan.dts:3: error: property \"vcpus\" is given twice, first at");
    CHECK_SAYS(check_root("networks { a { }; \n a { }; };"), "node \"a\" exists already");
}

TEST(Rules, numbers_have_bounds)
{
    CHECK_SAYS(check_partition("vcpus = <33>;"), "vcpus is 33; from 1 to 32 is possible");
    CHECK_SAYS(check_partition("vcpus = <0>;"), "vcpus is 0;");
    CHECK_SAYS(check_partition("priority = <32>;"), "priority is 32; from 0 to 31 is possible");
    CHECK_SAYS(check_partition("grant-frames = <0>;"), "grant-frames is 0;");
    CHECK_SAYS(check_partition("maxmem = <2000000>;"), "maxmem is 2000000;");
    CHECK_FINE(check_partition("maxmem = \"128\"; vcpus = \"32\"; max_grant_frames = <32>;"));
}

TEST(Rules, maxmem_is_at_least_memory)
{
    CHECK_SAYS(check_partition("maxmem = <63>;"), "maxmem is 63 MiB, less than memory (64 MiB)");
}

TEST(Rules, maxvcpus_is_vcpus)
{
    CHECK_FINE(check_partition("vcpus = <2>; maxvcpus = <2>;"));
    CHECK_SAYS(check_partition("vcpus = <2>; maxvcpus = <4>;"), "maxvcpus is 4 and vcpus is 2");
}

TEST(Rules, types_that_cannot_be_built_yet_are_refused_as_such)
{
    const auto with_type = [](const std::string& type) {
        return check_source("/dts-v1/; / { compatible = \"bulkhead,plan\"; partitions { a { memory = <64>; kernel = \"k\"; type = \"" + type + "\"; }; }; };");
    };
    CHECK_FINE(with_type("pvh"));
    CHECK_SAYS(with_type("hvm"), "type is \"hvm\": full PCs cannot be built yet");
    CHECK_SAYS(with_type("service"), "type is \"service\": services are added by themselves");
    CHECK_SAYS(with_type("pvv"), "did you mean \"pv\"?");
    CHECK_FINE(with_type("pv"));
}

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

TEST(Rules, vcpus_are_placed_as_cpus_says)
{
    CHECK(check_partition("vcpus = <3>; cpus = \"2,5\";").first().placement == (std::vector<uint8_t>{2, 5, 2}));
    CHECK(check_partition("vcpus = <3>;").first().placement == (std::vector<uint8_t>{0, 1, 2}));
    CHECK(check_partition("vcpus = <3>;", "machine { cpus = <2>; };").first().placement == (std::vector<uint8_t>{0, 1, 0}));
    CHECK(check_partition("vcpus = <2>; cpus = \"all,^0\";").first().placement == (std::vector<uint8_t>{1, 2}));
    CHECK(check_partition("vcpus = <2>; cpus = <3 1>;").first().placement == (std::vector<uint8_t>{3, 1}));
    CHECK(check_partition("vcpus = <2>; cpus = \"4\", \"4\";").first().placement == (std::vector<uint8_t>{4, 4}));
}

TEST(Rules, a_cpu_that_does_not_exist_is_refused_and_nothing_follows_from_it)
{
    const auto checked = check_partition("cpus = \"0-4\";", "machine { cpus = <4>; }; schedule { cpu0 = \"a 1000\"; };");
    CHECK_SAYS(checked, "cpus names CPU 4, which does not exist: the machine node says 4 CPUs");
    LONGS_EQUAL(1, checked.report.errors());
    CHECK_SAYS(check_partition("cpus = \"64\";"), "0 to 63 is possible");
}

TEST(Rules, names_are_unique_and_plain)
{
    CHECK_SAYS(check_partition("", "", partition("b", "name = \"a\";")), "the name \"a\" is taken by the partition at");
    CHECK_SAYS(check_partition("", "", partition("a")), "plan.dts:3: error: the name \"a\" is taken by the partition at");
    CHECK_SAYS(check_partition("name = \"two words\";"), "\"two words\" is not a name");
    CHECK_SAYS(check_partition("name = \"0a\";"), "is not a name");
    CHECK_SAYS(check_partition("name = \"a1234567890123456789012345678901\";"), "has 32 characters; a name has at most 31");
    CHECK_SAYS(check_partition("", "", partition("a@0")), "the partition's name \"a@0\" is not a name");
    CHECK_SAYS(check_partition("name = \"switch\";"), "means something else in the monitor");
    CHECK_FINE(check_partition("name = \"A-b_c.9\";"));
}

TEST(Rules, uuids_are_unique)
{
    const std::string uuid = "uuid = \"cf67710d-b756-086b-8cde-be61d2faca1b\";";
    CHECK_SAYS(check_partition(uuid, "", partition("b", uuid)), "the uuid cf67710d-b756-086b-8cde-be61d2faca1b is taken");
    CHECK_SAYS(check_partition("uuid = \"cf67710d-b756\";"), "uuid is \"cf67710d-b756\"; such as");
    CHECK_FINE(check_partition("uuid = \"cf67710db756086b8cdebe61d2faca1b\";"));
}

TEST(Rules, a_uuid_that_is_not_given_is_always_the_same_and_its_own)
{
    const auto once = check_partition("", "", partition("b"));
    const auto again = check_partition("", "", partition("b"));
    CHECK(once.first().uuid.value == again.first().uuid.value);
    CHECK(once.system.partitions[0].uuid.value != once.system.partitions[1].uuid.value);
    STRCMP_CONTAINS("-8", uuid_text(once.first().uuid.value).c_str());
}

TEST(Rules, mac_addresses_are_unique_over_all_cards)
{
    const std::string vif = "vif = \"mac=00:16:3e:00:00:01,bridge=l\";";
    CHECK_SAYS(check_partition(vif, "networks { l { }; };", partition("b", vif)), "the MAC address 00:16:3e:00:00:01 is taken");
    CHECK_SAYS(check_partition("vif = \"mac=00:16:3e:00:00:01\", \"mac=00:16:3E:00:00:01\";", "networks { l { }; };"), "is taken");
    CHECK_FINE(check_partition("vif = \"bridge=l\", \"bridge=l\";", "networks { l { }; };", partition("b", "vif = \"\";")));
}

TEST(Rules, a_bridge_is_one_of_the_networks)
{
    CHECK_SAYS(check_partition("vif = \"bridge=lan\";", "networks { lan0 { }; };"), "which is not in networks { }; did you mean \"lan0\"?");
    CHECK_SAYS(check_partition("vif = \"\";", "networks { a { }; b { }; };"), "vif names no bridge, and the plan has 2 networks");
    STRCMP_EQUAL("l", check_partition("vif = \"\";", "networks { l { }; };").first().vifs.value[0].bridge.c_str());
}

TEST(Rules, networks_have_addresses_and_uplinks)
{
    CHECK_FINE(check_root("networks { a { address = \"10.0.0.1/24\"; uplink = \"none\"; }; b { address = \"dhcp\"; uplink = \"first\"; }; "
                          "c { uplink = \"00:03.0\"; }; d { uplink = \"0000:00:1f.7\"; }; e { uplink = \"8086:10d3\"; }; };"));
    CHECK_SAYS(check_root("networks { a { address = \"10.0.0.1\"; }; };"), "address is \"10.0.0.1\"");
    CHECK_SAYS(check_root("networks { a { uplink = \"eth0\"; }; };"), "uplink is \"eth0\"");
}

namespace {

Checked check_network(const std::string& lines) { return check_root("networks { l { " + lines + " }; };"); }

}  // namespace

TEST(Rules, uplinks_are_found_in_one_of_three_ways)
{
    for (const char* good : {"none", "first", "00:03.0", "0000:00:1f.7", "8086:10d3", "FFFE:ffff"})
        CHECK_FINE(check_network("uplink = \"" + std::string(good) + "\";"));
    for (const char* bad : {"", "00:20.0", "00:03.8", "0:3.0", "00:03", "0000:00:00:03.0", "8086:10d", "ffff:0001", "8086:10dg", "00:0x.0"})
        CHECK_SAYS(check_network("uplink = \"" + std::string(bad) + "\";"), "a PCI address such as \"00:03.0\"");
    const auto two = check_root("networks { a { uplink = \"first\"; }; b { uplink = \"first\"; }; c { }; };");
    CHECK_FINE(two);
    LONGS_EQUAL(2, two.system.devices.size());
    LONGS_EQUAL(1, *two.system.networks[1].device);
    CHECK_FALSE(two.system.networks[2].device);
    CHECK_SAYS(check_root("networks { a { uplink = \"00:03.0\"; };\nb { uplink = \"00:03.0\"; }; };"),
               "plan.dts:2: error: the card at 00:03.0 is the uplink of network \"a\" already");
}

TEST(Rules, the_host_of_a_network_is_complete)
{
    CHECK_FINE(check_network("address = \"10.0.0.1/24\"; gateway = \"10.0.0.254\"; ipv6 = \"fd00::1/64\"; host-name = \"box-1\"; "
                             "mtu = <9000>; http = <0>; diagnosis { port = <2323>; from = \"10.0.0.0/24\", \"fd00::/64\"; };"));
    CHECK_FINE(check_network("ipv6 = \"slaac\"; http = <8080>;"));
    CHECK_SAYS(check_network("address = \"dhcp\"; gateway = \"10.0.0.254\";"), "\"dhcp\" brings its own");
    CHECK_SAYS(check_network("ipv6 = \"slaac\"; gateway = \"10.0.0.254\";"), "the network has none");
    CHECK_SAYS(check_network("address = \"10.0.0.1/24\"; gateway = \"10.0.1.1\";"), "gateway 10.0.1.1 is not on the network of 10.0.0.1/24");
    CHECK_SAYS(check_network("address = \"10.0.0.1/24\"; gateway = \"10.0.0\";"), "gateway is \"10.0.0\"; an IPv4 address");
    CHECK_FINE(check_network("address = \"10.0.0.1/0\"; gateway = \"192.168.0.1\";"));
    for (const char* bad : {"fd00::1", "fd00::1/0", "fd00::1/129", "::/64", "ff02::1/64", "10.0.0.1/24", "fd00:::1/64"})
        CHECK_SAYS(check_network("ipv6 = \"" + std::string(bad) + "\";"), "such as \"fd00::1/64\", or \"slaac\", is expected");
    for (const std::string& bad : {std::string("-a"), std::string("a-"), std::string("a.b"), std::string(64, 'a')})
        CHECK_SAYS(check_network("ipv6 = \"slaac\"; host-name = \"" + bad + "\";"), "letters, digits and '-' inside make one");
    CHECK_SAYS(check_network("mtu = <575>;"), "mtu is 575; from 576 to 9000 is possible");
    CHECK_SAYS(check_network("address = \"dhcp\"; http = <65536>;"), "from 0 to 65535 is possible");
    CHECK_SAYS(check_network("host-name = \"a\";"), "host-name needs an address");
    CHECK_SAYS(check_network("http = <80>;"), "http needs an address");
    CHECK_SAYS(check_network("diagnosis { port = <1>; from = \"10.0.0.0/8\"; };"), "diagnosis needs an address");
}

TEST(Rules, who_may_ask_for_diagnosis_is_always_said)
{
    const auto with = [](const std::string& lines) { return check_network("address = \"dhcp\"; diagnosis { " + lines + " };"); };
    CHECK_SAYS(with("port = <2323>;"), "diagnosis of network \"l\" has no \"from\"");
    CHECK_SAYS(with("from = \"10.0.0.0/8\";"), "diagnosis of network \"l\" has no \"port\"");
    CHECK_SAYS(with("port = <0>; from = \"10.0.0.0/8\";"), "from 1 to 65535 is possible");
    CHECK_SAYS(with("port = <2323>; from = \"10.0.0.0\";"), "from has \"10.0.0.0\"; prefixes such as");
    CHECK_SAYS(with("port = <80>; from = \"10.0.0.0/8\";"), "port 80 is that of the status page");
    CHECK_SAYS(with("port = <2323>; form = \"10.0.0.0/8\";"), "did you mean \"from\"?");
    CHECK_SAYS(check_network("address = \"dhcp\"; diag { };"), "unknown node \"diag\" in network \"l\"");
    std::string many = "\"10.0.0.0/8\"";
    for (int i = 0; i < 8; ++i)
        many += ", \"10.0.0.0/8\"";
    CHECK_SAYS(with("port = <2323>; from = " + many + ";"), "has 9 prefixes; at most 8");
}

TEST(Rules, the_policies_of_cards_fit_their_network)
{
    CHECK_FINE(check_partition("vif = \"isolated=1,storm=500,mtu=1400\";", "networks { l { uplink = \"first\"; }; };"));
    CHECK_SAYS(check_partition("vif = \"isolated=1\";", "networks { l { }; };"), "warning: vif is isolated on network \"l\"");
    CHECK_SAYS(check_partition("vif = \"mtu=9000\";", "networks { l { }; };"), "vif has an mtu of 9000 and network \"l\" one of 1500");
    CHECK_SAYS(check_partition("vif = \"\"; store = \"none\";", "networks { l { }; };"), "vif needs the store, and \"a\" has store = \"none\"");
    std::string cards = "\"bridge=l\"";
    for (int i = 0; i < 40; ++i)
        cards += ", \"bridge=l\"";
    CHECK_FINE(check_partition("vif = " + cards + ";", "networks { l { }; };"));
    CHECK_SAYS(check_partition("vif = " + cards + ";", "networks { l { }; };", partition("b", "vif = " + cards + ";")),
               "the plan has more than 64 vifs up to \"b\"");
}

TEST(Rules, a_plan_has_few_networks)
{
    std::string networks;
    for (int i = 0; i < 17; ++i)
        networks += "n" + std::to_string(i) + " { };\n";
    CHECK_SAYS(check_root("networks { " + networks + " };"), "plan.dts:17: error: the plan has 17 networks; at most 16");
}

TEST(Rules, the_switch_is_added_when_there_is_something_to_switch)
{
    const auto services = [](const Checked& checked) {
        std::string names;
        for (const auto& each : checked.system.partitions)
            names += each.is_service ? each.name.value + " " : "";
        return names;
    };
    STRCMP_EQUAL("store ", services(check_root("networks { l { }; };")).c_str());
    STRCMP_EQUAL("store switch ", services(check_root("networks { l { address = \"dhcp\"; }; };")).c_str());
    STRCMP_EQUAL("store switch ", services(check_root("networks { l { uplink = \"first\"; }; };")).c_str());
    STRCMP_EQUAL("store switch ", services(check_partition("vif = \"\";", "networks { l { }; };")).c_str());
    // The switch itself needs the store.
    const auto none = check_partition("store = \"none\";", "networks { l { address = \"dhcp\"; }; };");
    CHECK_FINE(none);
    STRCMP_EQUAL("store switch ", services(none).c_str());
}

TEST(Rules, the_switch_ranks_above_its_clients_and_below_realtime_partitions)
{
    const auto priority = [](const Checked& checked) { return int{checked.system.partitions.back().priority.value}; };
    const std::string networks = "networks { l { }; };";
    LONGS_EQUAL(17, priority(check_partition("vif = \"\";", networks, partition("b", "priority = <20>;"))));
    LONGS_EQUAL(21, priority(check_partition("vif = \"\"; priority = <20>; budget = <1000>;", networks)));
    LONGS_EQUAL(15, priority(check_partition("vif = \"\";", networks, partition("b", "realtime;"))));
    LONGS_EQUAL(9, priority(check_partition("vif = \"\";", networks + " services { switch { priority = <9>; }; };")));
}

TEST(Rules, fixed_memory_is_complete_aligned_and_nobody_elses)
{
    CHECK_FINE(check_partition("reg = <0x0 0x40000000 0x0 0x4000000>;"));
    CHECK_FINE(check_partition("reg = /bits/ 64 <0x40000000 0x2000000 0x80000000 0x2000000>;"));
    CHECK_SAYS(check_partition("reg = <0x0 0x40000000 0x0 0x2000000>;"), "reg gives 32 MiB and memory says 64 MiB");
    CHECK_SAYS(check_partition("reg = <0x0 0x40000800 0x0 0x4000000>;"), "multiples of 0x1000");
    CHECK_SAYS(check_partition("reg = <0x40000000 0x4000000>;"), "1 numbers; pairs of a base and a size");
    CHECK_SAYS(check_partition("reg = <0x0 0x80000 0x0 0x4000000>;"), "the first MiB is the firmware's");
    CHECK_SAYS(check_partition("reg = /bits/ 64 <0xfffffffffffff000 0x4000000>;"), "physical addresses end at");
    CHECK_SAYS(check_partition("reg = <0x0 0x40000000 0x0 0x4000000>;", "", partition("b", "reg = <0x0 0x43fff000 0x0 0x4000000>;")),
               "plan.dts:3: error: reg 0x43fff000 to 0x47fff000 overlaps 0x40000000 to 0x44000000 of \"a\"");
    CHECK_FINE(check_partition("reg = <0x0 0x40000000 0x0 0x4000000>;", "", partition("b", "reg = <0x0 0x44000000 0x0 0x4000000>;")));
    CHECK_SAYS(check_partition("reg = /bits/ 64 <0x40000000 0x2000000 0x41000000 0x2000000>;"), "overlaps");
}

TEST(Rules, the_machine_node_bounds_the_memory)
{
    CHECK_SAYS(check_partition("", "machine { memory = <100>; };", partition("b")), "the partitions take 134 MiB, the machine node says 100 MiB");
    CHECK_FINE(check_partition("", "machine { memory = <256>; };", partition("b")));
}

TEST(Rules, policies_have_xls_words)
{
    const auto checked = check_partition("on_poweroff = \"preserve\"; on_reboot = \"destroy\"; on_crash = \"restart\"; on_watchdog = \"restart\";");
    CHECK(checked.fine());
    CHECK(checked.first().on_poweroff.value == Action::preserve);
    CHECK(checked.first().on_watchdog.value == Action::restart);
    CHECK_SAYS(check_partition("on_crash = \"coredump-restart\";"), "warning: on_crash = \"coredump-restart\": there is no disk");
    CHECK(check_partition("on_crash = \"coredump-restart\";").first().on_crash.value == Action::restart);
    CHECK_SAYS(check_partition("on_crash = \"rename-restart\";"), "error: on_crash = \"rename-restart\" is not available");
    CHECK_SAYS(check_partition("on_reboot = \"soft-reset\";"), "error: on_reboot = \"soft-reset\" is not available");
    CHECK_SAYS(check_partition("on_reboot = \"restrat\";"), "did you mean \"restart\"?");
    CHECK_SAYS(check_partition("on_reboot = <1>;"), "on_reboot is not text");
}

TEST(Rules, command_lines_are_made_as_xl_makes_them)
{
    STRCMP_EQUAL("root=/dev/ram0 quiet", check_partition("root = \"/dev/ram0\"; extra = \"quiet\";").first().cmdline.value.c_str());
    STRCMP_EQUAL("quiet", check_partition("extra = \"quiet\";").first().cmdline.value.c_str());
    const auto both = check_partition("cmdline = \"a\"; extra = \"quiet\";");
    STRCMP_EQUAL("a", both.first().cmdline.value.c_str());
    CHECK_SAYS(both, "warning: root and extra have no effect beside cmdline");
    CHECK_SAYS(check_partition("cmdline = \"" + std::string(1024, 'x') + "\";"), "start info has room for 1023");
    CHECK_SAYS(check_partition("extra = \"" + std::string(1024, 'x') + "\";"), "start info has room for 1023");
    CHECK_FINE(check_partition("cmdline = \"" + std::string(1023, 'x') + "\";"));
    CHECK_FINE(check_partition("cmdline = \"\";"));
}

TEST(Rules, what_xl_knows_and_we_cannot_do_is_refused_with_the_reason_or_warned_about)
{
    CHECK_SAYS(check_partition("disk = \"phy:/dev/sda,xvda,w\";"), "error: \"disk\" is not available: disks are not built yet");
    CHECK_SAYS(check_partition("cap = <50>;"), "a cap of 50 is budget = <5000>, period = <10000>");
    CHECK_SAYS(check_partition("bootloader = \"pygrub\";"), "name the files with kernel and ramdisk");
    CHECK_SAYS(check_partition("vnc = <1>;"), "warning: \"vnc\" has no effect");
    CHECK_SAYS(check_partition("builder = \"generic\";"), "warning: \"builder\" has no effect");
    CHECK_SAYS(check_partition("builder = \"hvm\";"), "use type = \"pv\" instead");
}

TEST(Rules, a_budget_fits_its_period)
{
    CHECK_FINE(check_partition("budget = <5000>; period = <10000>;"));
    CHECK_FINE(check_partition("budget = <5000>;"));
    CHECK_SAYS(check_partition("budget = <20000>;"), "budget is 20000 us, more than the period of 10000 us");
    CHECK_SAYS(check_partition("period = <1000>;"), "period without budget says nothing");
}

TEST(Rules, more_time_than_there_is_and_starvation_are_warned_about)
{
    CHECK_SAYS(check_partition("budget = <6000>;", "", partition("b", "budget = <6000>;")), "the budgets on CPU 0 add up to 120 %");
    CHECK_SAYS(check_partition("priority = <20>;", "", partition("b")), "warning: partition \"a\" (priority 20, no budget) can keep \"b\" (priority 16) from running on CPU 0");
    CHECK_FINE(check_partition("priority = <20>; budget = <1000>;", "", partition("b")));
    CHECK_FINE(check_partition("priority = <20>;", "", partition("b", "cpus = \"1\";")));
}

TEST(Rules, a_service_below_its_client_is_warned_about)
{
    CHECK_SAYS(check_root("services { store { priority = <3>; }; };"), "warning: service \"store\" (priority 3) ranks below its clients: \"a\" (priority 16)");
    CHECK_FINE(check_root("services { store { }; switch { cpus = \"0\"; memory = <4>; budget = <1000>; period = <10000>; }; };"
                          "networks { lan0 { address = \"dhcp\"; }; };"));
    CHECK_SAYS(check_root("services { switch { priority = <3>; }; };"), "warning: no partition has a vif and no network an address");
    CHECK_SAYS(check_partition("vif = \"\";", "services { switch { priority = <3>; }; }; networks { lan0 { }; };"),
               "warning: service \"switch\" (priority 3) ranks below its clients: \"a\" (priority 16)");
    CHECK_SAYS(check_partition("realtime;", "services { store { priority = <16>; }; };"), "can make the realtime partition \"a\" (priority 16) wait");
    CHECK_SAYS(check_root("services { store { budget = <20000>; }; };"), "more than the period");
}

TEST(Rules, windows_give_every_partition_on_their_cpu_a_turn)
{
    const std::string b = partition("b");
    CHECK_FINE(check_partition("", "schedule { major-frame = <10000>; cpu0 = \"a 4000\", \"b 4000\", \"idle 2000\"; };", b));
    CHECK_SAYS(check_partition("", "schedule { cpu0 = \"a 4000\"; };", b), "partition \"b\" has a vCPU on CPU 0 and no window there");
    CHECK_SAYS(check_partition("", "schedule { cpu0 = \"a 4000\", \"b 1000\", \"c 1000\"; };", b), "a window for \"c\", which is no partition");
    CHECK_SAYS(check_partition("", "schedule { cpu1 = \"a 4000\"; };", ""), "a window for \"a\", which has no vCPU there");
    CHECK_SAYS(check_partition("", "schedule { major-frame = <9000>; cpu0 = \"a 4000\"; };"), "add up to 4000 us; major-frame says 9000 us");
    CHECK_SAYS(check_root("schedule { major-frame = <9000>; };"), "major-frame without a table");
    CHECK_SAYS(check_root("schedule { cpu0 = \"a\"; };"), "cpu0 has \"a\"; a partition's name (or idle) and microseconds");
    CHECK_SAYS(check_root("schedule { cpu0 = \"a 50\"; };"), "a window of 50 us");
    CHECK_SAYS(check_root("schedule { cpu0 = \"a 500\"; cpu00 = \"a 500\"; };"), "CPU 0 has a table already");
    CHECK_SAYS(check_root("schedule { cpux = \"a 500\"; };"), "cpux has \"x\", which is not a CPU");
    CHECK_SAYS(check_root("schedule { cpu0-1 = \"a 500\"; };"), "each CPU has its own table");
}

TEST(Rules, the_console_escape_is_a_control_key_that_nothing_else_needs)
{
    for (const auto* escape : {"\"^a\"", "\"Ctrl-A\"", "\"C-a\"", "<1>"})
        LONGS_EQUAL(1, check_root(std::string("escape = ") + escape + ";").system.escape.value);
    LONGS_EQUAL(0x1d, check_root("escape = \"^]\";").system.escape.value);
    for (const auto* escape : {"\"x\"", "\"\"", "\"^M\"", "\"^[\"", "<0>", "<32>", "\"Ctrl-\"", "<1 2>"})
        CHECK_SAYS(check_root(std::string("escape = ") + escape + ";"), "error: escape");
}

TEST(Rules, panic_and_serial_line_have_their_words)
{
    CHECK_FALSE(check_root("on_panic = \"halt\";").system.panic_reboots.value);
    CHECK_SAYS(check_root("on_panic = \"stop\";"), "\"reboot\" or \"halt\" is expected");
    CHECK(check_root("").system.packs_payloads.value);
    CHECK_FALSE(check_root("payloads = \"plain\";").system.packs_payloads.value);
    CHECK_SAYS(check_root("payloads = \"zip\";"), "\"lz4\" or \"plain\" is expected");
    LONGS_EQUAL(9600, check_root("serial = \"9600,8n1\";").system.baud.value);
    LONGS_EQUAL(57600, check_root("serial = <57600>;").system.baud.value);
    for (const auto* serial : {"\"115200,7e1\"", "<31337>", "\"com1\"", "\"\"", "\"9600,8n1,x\""})
        CHECK_SAYS(check_root(std::string("serial = ") + serial + ";"), "error: serial");
}

TEST(Rules, switches_of_a_partition_are_read)
{
    const auto checked = check_partition("autostart = <0>; pv-linear-pt; trusted-speculation = \"yes\"; realtime = <1>; store = \"none\";");
    CHECK(checked.fine());
    CHECK_FALSE(checked.first().autostart.value);
    CHECK(checked.first().pv_linear_pt.value && checked.first().trust.value == bulkhead::plan::trust_all && checked.first().realtime.value);
    CHECK_SAYS(check_partition("autostart = \"maybe\";"), "autostart is neither yes nor no");
}

TEST(Rules, a_partition_is_trusted_with_all_leaks_or_some)
{
    const auto trust = [](const char* value) {
        return check_partition(std::string("trusted-speculation = ") + value + "; store = \"none\";").first().trust.value;
    };
    LONGS_EQUAL(0, check_partition("").first().trust.value);
    LONGS_EQUAL(0, trust("\"no\""));
    LONGS_EQUAL(bulkhead::plan::trust_all, trust("<1>"));
    LONGS_EQUAL(bulkhead::plan::trust_meltdown, trust("\"meltdown\""));
    LONGS_EQUAL(bulkhead::plan::trust_l1tf | bulkhead::plan::trust_mds | bulkhead::plan::trust_ssb, trust("\"mds\", \"ssb\", \"l1tf\""));
    CHECK_SAYS(check_partition("trusted-speculation = \"melt-down\";"), "has \"melt-down\"; did you mean \"meltdown\"?");
    CHECK_SAYS(check_partition("trusted-speculation = \"mds\", \"rowhammer\";"), "it is yes, no, or some of");
}

TEST(Rules, a_plan_has_at_most_56_partitions_beside_the_services)
{
    std::string many;
    for (int i = 0; i < 56; ++i)
        many += partition("p" + std::to_string(i));
    CHECK_SAYS(check_partition("", "", many), "the plan has 57 partitions; at most 56 are possible beside the services");
}

TEST(Rules, all_errors_come_in_one_run_in_the_order_of_the_lines)
{
    const auto checked = check_source("/dts-v1/;\n/ {\n compatible = \"bulkhead,plan\";\n wrong;\n partitions {\n"
                                      "  b {\n   type = \"pv\"; memory = <64>; kernel = \"k\";\n   vcpus = <99>;\n  };\n"
                                      "  c {\n   type = \"hvm\";\n   memory = <0>;\n   kernel = \"k\"; colour = \"red\";\n  };\n };\n};\n");
    LONGS_EQUAL(5, checked.report.errors());
    const auto text = checked.report.text();
    size_t last = 0;
    for (const auto* place : {"plan.dts:4: error: unknown property \"wrong\"", "plan.dts:8: error: vcpus", "plan.dts:11: error: type",
                              "plan.dts:12: error: memory", "plan.dts:13: error: unknown property \"colour\""}) {
        const size_t at = text.find(place);
        CHECK(at != std::string::npos && at >= last);
        last = at;
    }
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
