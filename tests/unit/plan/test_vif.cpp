// SPDX-License-Identifier: BSD-2-Clause
// The forms are those of xl-network-configuration(5).
#include "boot/plan/vif.hpp"

#include "boot/plan/nearest.cpp"
#include "boot/plan/text.cpp"
#include "boot/plan/value.cpp"
#include "boot/plan/vif.cpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::tool;

TEST_GROUP(Vif) {};

TEST(Vif, a_full_line_is_understood)
{
    const auto vif = parse_vif("mac=00:16:3e:27:95:c0, bridge=lan0,rate=10Mb/s,vlan=10,mtu=9000,ip=10.0.0.2,vifname=eth,isolated=1,storm=1000/s");
    CHECK(vif.has_value());
    STRCMP_EQUAL("00:16:3e:27:95:c0", mac_text(*vif->mac).c_str());
    STRCMP_EQUAL("lan0", vif->bridge.c_str());
    CHECK(vif->rate->bytes_per_second == 1'250'000);
    CHECK(vif->rate->interval_us == 50'000);
    LONGS_EQUAL(10, *vif->vlan);
    LONGS_EQUAL(9000, *vif->mtu);
    STRCMP_EQUAL("10.0.0.2", vif->ip.c_str());
    CHECK(vif->isolated);
    LONGS_EQUAL(1000, *vif->storm);
    LONGS_EQUAL(7, *parse_vif("storm=7")->storm);
    CHECK(vif->without_effect.empty());
}

TEST(Vif, an_empty_line_is_a_card_with_everything_by_default)
{
    const auto vif = parse_vif("  ");
    CHECK(vif && !vif->mac && vif->bridge.empty() && !vif->rate);
}

TEST(Vif, what_only_a_toolstack_needs_is_named_as_without_effect)
{
    STRCMP_EQUAL("script, model", parse_vif("script=vif-bridge,model=e1000").value().without_effect.c_str());
}

TEST(Vif, an_unknown_key_is_refused_with_a_suggestion)
{
    STRCMP_EQUAL("has the unknown key \"brigde\"; did you mean \"bridge\"?", parse_vif("brigde=lan0").error().c_str());
}

TEST(Vif, wrong_lines_are_refused)
{
    for (const auto* line : {"mac", "mac=00:16:3e:27:95", "mac=00:16:3e:27:95:zz", "mac=01:16:3e:27:95:c0",
                             "mac=00:00:00:00:00:00", "mac=0:16:3e:27:95:c0", "bridge=a,bridge=b", "rate=fast", "vlan=0",
                             "vlan=4095", "mtu=67", "type=ioemu", "backend=net", "ip=10.0.0.256", "ip=10.0.0", ",",
                             "isolated=2", "storm=0", "storm=1000001", "storm=5/m", "ip=0x1.0.0.1"})
        CHECK_FALSE(parse_vif(line));
}

TEST(Vif, rates_have_units_and_an_interval)
{
    CHECK(parse_rate("250KB/s")->bytes_per_second == 250'000);
    CHECK(parse_rate("1MB/s@20ms")->interval_us == 20'000);
    CHECK(parse_rate("1GB/s@1s")->bytes_per_second == 1'000'000'000);
    CHECK(parse_rate("8b/s")->bytes_per_second == 1);
    for (const auto* rate : {"", "/s", "10", "10Mb", "Mb/s", "10Xb/s", "0b/s", "4b/s", "10Mb/s@", "10Mb/s@0ms", "10Mb/s@5h",
                             "99999999999999999999GB/s", "1000000000000GB/s", "10MMb/s", "1MB/s@9999999999999999s"})
        CHECK_FALSE(parse_rate(rate));
}

TEST(Vif, an_ipv4_prefix_has_an_address_and_a_length)
{
    CHECK(parse_ipv4_prefix("10.0.0.1/24")->address == 0x0a000001);
    LONGS_EQUAL(24, parse_ipv4_prefix("10.0.0.1/24")->length);
    for (const auto* prefix : {"10.0.0.1", "10.0.0.1/", "10.0.0.1/33", "10.0.0/24", "a/24", "/24", "1.2.3.4/0x"})
        CHECK_FALSE(parse_ipv4_prefix(prefix));
}
