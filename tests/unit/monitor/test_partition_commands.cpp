// SPDX-License-Identifier: BSD-2-Clause
// The monitor's commands about partitions: lists, life cycle, and looks into their vCPUs and memory.
#include "monitor_fixture.hpp"

TEST(Monitor, shows_all_partitions)
{
    fake::vcpus[0][0].time.runstate.time[RUNSTATE_running] = 12'345'000'000;
    STRCMP_EQUAL(" #  name              state          vCPUs  CPUs      memory  lives    CPU time\r\n"
                 " 1  gateway           running            2  0-1      256 MiB      1    12.345 s\r\n"
                 " 2  logger            running            2  0-1      256 MiB      1     0.000 s\r\n",
                 run("parts").c_str());
}

TEST(Monitor, says_why_a_partition_was_left_out)
{
    fake::partitions[1].state = PartitionState::left_out;
    fake::partitions[1].reason = "it needs CPU 7, and the box has 2";
    CHECK_SHOWS(run("parts"), "left out");
    CHECK_SHOWS(run("parts"), "    it needs CPU 7, and the box has 2\r\n");
}

TEST(Monitor, shows_one_partition)
{
    fake::plans[0].budget_us = 2000;
    fake::plans[0].period_us = 10000;
    fake::plans[0].realtime = 1;
    snprintf(fake::partitions[0].health.last_reason.data(), 128, "its kernel asked for a reboot");
    fake::partitions[0].console.bad_indices = 3;
    fake::vcpus[0][1].hold = hold_down | hold_blocked;
    const std::string text = run("part gateway");
    CHECK_SHOWS(text, "state        running");
    CHECK_SHOWS(text, "uuid         00000000-0000-0000-0000-000000000000");
    CHECK_SHOWS(text, "priority     10, realtime");
    CHECK_SHOWS(text, "budget       2000 us in each 10000 us");
    CHECK_SHOWS(text, "poweroff destroy, reboot restart, crash restart");
    CHECK_SHOWS(text, "last ended   its kernel asked for a reboot");
    CHECK_SHOWS(text, "not connected, 3 impossible ring indices");
    CHECK_SHOWS(text, "down, blocked");
    STRCMP_EQUAL(text.c_str(), run("part gateway info").c_str());
}

TEST(Monitor, names_partitions_and_actions_in_its_errors)
{
    STRCMP_EQUAL("part: which partition? There are: gateway and logger.\r\n", run("part").c_str());
    STRCMP_EQUAL("part: no partition is named 'gatway'; there are: gateway and logger. Did you mean gateway?\r\n",
                 run("part gatway info").c_str());
    STRCMP_EQUAL("part: 're' may mean regs, restart or resume.\r\n", run("part gateway re").c_str());
    CHECK_SHOWS(run("part gateway strat"), "Did you mean start?");
    CHECK_SHOWS(run("part 3 info"), "no partition is named '3'");
    CHECK_SHOWS(run("part 0 info"), "no partition is named '0'");
}

TEST(Monitor, asks_the_life_cycle_and_passes_its_refusal_on)
{
    STRCMP_EQUAL("gateway: is being paused; `resume` lets it go on.\r\n", run("part gateway pause").c_str());
    STRCMP_EQUAL("pause gateway", fake::requested.c_str());
    for (const char* action : {"start", "stop", "restart", "resume"}) {
        (void)run(std::string("part logger ") + action);
        STRCMP_EQUAL((std::string(action) + " logger").c_str(), fake::requested.c_str());
    }
    fake::refusal = "it runs already.";
    STRCMP_EQUAL("gateway: it runs already.\r\n", run("part gateway start").c_str());
}

TEST(Monitor, shows_the_registers_of_all_vcpus_or_one)
{
    fake::vcpus[0][0].registers.rip = 0xffffffff81001234;
    fake::vcpus[0][1].registers.r15 = 0x1122334455667788;
    fake::vcpus[0][1].pv.kernel_mode = false;
    const std::string text = run("part gateway regs");
    CHECK_SHOWS(text, "gateway vCPU 0 on CPU 0, kernel mode, ready\r\n  rip  ffffffff81001234");
    CHECK_SHOWS(text, "gateway vCPU 1 on CPU 1, user mode");
    CHECK_SHOWS(text, "r15  1122334455667788");
    CHECK_FALSE(contains(run("part gateway regs 1"), "vCPU 0"));
    CHECK_SHOWS(run("part gateway regs 2"), "gateway has no vCPU '2'; they are 0 to 1");
    CHECK_SHOWS(run("part gateway regs x"), "gateway has no vCPU 'x'");
}

TEST(Monitor, waits_until_a_running_vcpu_is_put_away_and_lets_it_go)
{
    Vcpu& vcpu = fake::vcpus[0][0];
    fake::cpus[0].current = &vcpu;
    STRCMP_EQUAL("", run("part gateway regs 0").c_str());
    CHECK(monitor_waits());
    LONGS_EQUAL(hold_inspected, vcpu.hold.load());
    fake::cpus[0].current = nullptr;
    CHECK_SHOWS(rest(), "vCPU 0 on CPU 0");
    LONGS_EQUAL(0, vcpu.hold.load());
}

TEST(Monitor, lets_a_vcpu_go_when_it_is_interrupted)
{
    fake::cpus[0].current = &fake::vcpus[0][0];
    (void)run("part gateway regs");
    CHECK_SHOWS(keys("\x03"), "^C\r\n\rbulkhead> ");
    LONGS_EQUAL(0, fake::vcpus[0][0].hold.load());
    (void)run("part gateway regs");
    monitor_close();
    LONGS_EQUAL(0, fake::vcpus[0][0].hold.load());
    CHECK_FALSE(monitor_waits());
}

TEST(Monitor, shows_no_registers_where_there_are_none)
{
    fake::partitions[0].state = PartitionState::stopped;
    STRCMP_EQUAL("gateway is stopped: its vCPUs have no registers\r\n", run("part gateway regs").c_str());
    CHECK_SHOWS(run("part gateway bt"), "have no registers");
    fake::vcpus[1][1].initialised = false;
    CHECK_SHOWS(run("part logger regs 1"), "logger vCPU 1 was never started");
}

TEST(Monitor, shows_calls_that_the_stack_of_a_kernel_names)
{
    fake::plans[0].pv.virt_base = 0xffffffff80000000;
    fake::plans[0].pv.mapped_end_pfn = 0x8000;
    const Mfn text = own_frame(0);
    const Mfn stack = own_frame(0);
    map_page(0, 0xffffffff81000000, text);
    map_page(0, 0xffffffff82000000, stack);
    machine::frame_pointer<uint8_t>(text)[0x100] = 0xe8;          // returns to 0x105
    machine::frame_pointer<uint8_t>(text)[0x200] = 0xff;          // call *%rax: returns to 0x202
    machine::frame_pointer<uint8_t>(text)[0x201] = 0xd0;
    uint64_t* words = machine::frame_pointer<uint64_t>(stack);
    words[10] = 0xffffffff81000105;
    words[11] = 0xffffffff81000300;                               // no call before it
    words[12] = 0xffffffff81000202;
    words[13] = 0x105;
    words[511] = 0xffffffff81000105;                              // the last word before a hole
    fake::vcpus[0][0].registers.rip = 0xffffffff81000050;
    fake::vcpus[0][0].registers.rsp = 0xffffffff82000000;
    STRCMP_EQUAL("gateway vCPU 0 on CPU 0, kernel mode, ready\r\n"
                 "  ffffffff81000050\r\n  ffffffff81000105 ?\r\n  ffffffff81000202 ?\r\n  ffffffff81000105 ?\r\n",
                 run("part gateway bt 0").c_str());
    CHECK(slices > 5);
    fake::vcpus[0][0].pv.kernel_mode = false;
    CHECK_SHOWS(run("part gateway bt 0"), "in user mode");
    fake::vcpus[0][0].pv.kernel_mode = true;
    fake::vcpus[0][0].registers.rsp = 0x8000'0000'0000'0000;
    CHECK_FALSE(contains(run("part gateway bt 0"), "?"));
}

TEST(Monitor, dumps_memory_by_the_guests_own_tables)
{
    const Mfn frame = own_frame(0);
    map_page(0, 0xffffffff81000000, frame);
    memcpy(machine::frame_pointer<char>(frame), "Bulkhead\x01\xff", 10);
    STRCMP_EQUAL("ffffffff81000000  42756c6b 68656164 01ff0000 00000000  Bulkhead........\r\n"
                 "ffffffff81000010  00000000                             ....\r\n",
                 run("part gateway dump ffffffff81000000 20").c_str());
    STRCMP_EQUAL("ffffffff81000004  68656164 01                          head.\r\n",
                 run("part gateway dump 0xffffffff81000004 5").c_str());
    run("part gateway dump 0xffffffff81000000 0x1000");
    LONGS_EQUAL(128, slices);
}

TEST(Monitor, says_what_of_a_guests_memory_cannot_be_shown)
{
    map_page(0, 0xffffffff81000000, own_frame(0));
    const Mfn foreign = fake::new_frame();
    fake::owners[foreign.raw()] = 2;
    map_page(0, 0xffffffff81002000, foreign);
    map_page(0, 0xffffffff81003000, Mfn(0xfffff'ffff));   // no RAM
    const std::string text = run("part gateway dump ffffffff81000ff0 0x3010");
    CHECK_SHOWS(text, "ffffffff81000ff0  00000000");
    CHECK_SHOWS(text, "ffffffff81001000 to ffffffff81001fff: not mapped\r\n");
    CHECK_SHOWS(text, "ffffffff81002000 to ffffffff81002fff: not its own memory\r\n");
    CHECK_SHOWS(text, "ffffffff81003000 to ffffffff81003fff: not its own memory\r\n");
    CHECK_SHOWS(run("part logger dump 1000"), "no page tables");
    CHECK_SHOWS(run("part gateway dump 800000000000"), "not an address");
}

TEST(Monitor, believes_no_page_table_that_is_not_the_partitions)
{
    const Mfn foreign = fake::new_frame();
    fake::vcpus[0][0].pv.kernel_table = foreign;
    CHECK_SHOWS(run("part gateway dump 1000"), "no page tables");
    fake::vcpus[0][0].pv.kernel_table = own_frame(0);
    machine::frame_pointer<uint64_t>(fake::vcpus[0][0].pv.kernel_table)[0] = pte::make(foreign, pte::present);
    CHECK_SHOWS(run("part gateway dump 1000"), "not its own memory");
}

TEST(Monitor, checks_address_and_length_of_a_dump)
{
    CHECK_SHOWS(run("part gateway dump"), "dump needs an address");
    STRCMP_EQUAL("part: 'here' is not a hexadecimal address\r\n", run("part gateway dump here").c_str());
    STRCMP_EQUAL("part: '0' is no length; it goes from 1 to 65536 bytes\r\n", run("part gateway dump 1000 0").c_str());
    CHECK_SHOWS(run("part gateway dump 1000 70000"), "is no length");
    CHECK_SHOWS(run("part gateway dump 1000 x"), "is no length");
    CHECK_SHOWS(run("part gateway dump ffffffffffffffff"), "nobody can use");
    CHECK_SHOWS(run("part gateway dump fffffffffffffff0 100"), "fffffffffffffff0 to fffffffffffffffe");
}

// A hardware partition in place of the first one.
TEST_GROUP_BASE(HardwareGuest, TEST_GROUP_CppUTestGroupMonitor)
{
    static constexpr uint64_t text_at = 0xffffffff81000000, data_at = 0xffffffff81001000, stack_at = 0xffffffff82000000;
    HardwarePartition partition;
    HardwareVcpu hardware;
    Mfn text, stack;

    void setup() override
    {
        TEST_GROUP_CppUTestGroupMonitor::setup();
        fake::partitions[0].hardware = &partition;
        for (size_t i = 0; i < 2; ++i) {
            fake::vcpus[0][i].hardware = &hardware;
            fake::paging[i] = {0x80050033, 0x1000 + i, 0x20, 0x500, 2, 0};
        }
        text = own_frame(0);
        stack = own_frame(0);
        const Mfn data = own_frame(0);
        for (const Mfn frame : {text, data})
            machine::frame_pointer<uint8_t>(frame)[0x100] = 0xe8;       // returns to 0x105
        fake::pages = {{text_at, {text, true, nullptr}}, {data_at, {data, false, nullptr}},
                       {stack_at, {stack, false, nullptr}}};
        fake::walked_from = 0;
        fake::vcpus[0][0].registers.rip = text_at;
        fake::vcpus[0][0].registers.rsp = stack_at;
    }
    void teardown() override { fake::partitions[0].hardware = nullptr; }
};

TEST(HardwareGuest, shows_control_registers_and_its_mode)
{
    CHECK_SHOWS(run("part gateway regs 1"), "cr0  0000000080050033  cr3  0000000000001001  cr4  0000000000000020");
    fake::paging[1].cpl = 3;
    CHECK_SHOWS(run("part gateway regs"), "gateway vCPU 0 on CPU 0, kernel mode");
    CHECK_SHOWS(run("part gateway regs"), "gateway vCPU 1 on CPU 1, user mode");
}

TEST(HardwareGuest, shows_calls_to_executable_pages_only)
{
    uint64_t* words = machine::frame_pointer<uint64_t>(stack);
    words[3] = text_at + 0x105;
    words[4] = data_at + 0x105;
    words[5] = text_at + 0x106;
    STRCMP_EQUAL("gateway vCPU 0 on CPU 0, kernel mode, ready\r\n  ffffffff81000000\r\n  ffffffff81000105 ?\r\n",
                 run("part gateway bt 0").c_str());
    CHECK_EQUAL(0x1000u, fake::walked_from);
}

TEST(HardwareGuest, shows_no_calls_of_other_modes)
{
    machine::frame_pointer<uint64_t>(stack)[3] = text_at + 0x105;
    fake::paging[0].efer = 0;
    CHECK_SHOWS(run("part gateway bt 0"), "not in long mode");
    fake::paging[0].efer = 0x500;
    fake::paging[0].cpl = 3;
    const std::string shown = run("part gateway bt 0");
    CHECK_SHOWS(shown, "in user mode");
    CHECK_FALSE(contains(shown, "?"));
}

TEST(HardwareGuest, dumps_what_its_own_tables_have)
{
    memcpy(machine::frame_pointer<char>(text), "Bulkhead", 8);
    STRCMP_EQUAL("ffffffff81000000  42756c6b 68656164                    Bulkhead\r\n",
                 run("part gateway dump ffffffff81000000 8").c_str());
    CHECK_SHOWS(run("part gateway dump ffffffff90000000 8"), "not mapped");
    CHECK_SHOWS(run("part gateway dump 800000000000"), "not an address");
}

TEST(HardwareGuest, is_held_until_its_cpu_has_put_its_paging_away)
{
    fake::cpus[0].current = &fake::vcpus[0][0];
    STRCMP_EQUAL("", run("part gateway dump ffffffff81000000 8").c_str());
    CHECK(monitor_waits());
    LONGS_EQUAL(hold_inspected, fake::vcpus[0][0].hold.load());
    fake::paging[0].cr3 = 0x5000;
    fake::cpus[0].current = nullptr;
    CHECK_SHOWS(rest(), "ffffffff81000000  00000000 00000000");
    LONGS_EQUAL(0, fake::vcpus[0][0].hold.load());
    CHECK_EQUAL(0x5000u, fake::walked_from);
}
