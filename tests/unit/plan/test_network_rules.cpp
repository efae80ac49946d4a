// SPDX-License-Identifier: BSD-2-Clause
// The rules of a plan about networks, their uplinks, hosts and cards, and the switch.
#include "rules_fixture.hpp"

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
