// SPDX-License-Identifier: BSD-2-Clause
// Every rule of a plan: what is accepted, what is refused and in which words, where. Networks and services have files
// of their own.
#include "rules_fixture.hpp"

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
