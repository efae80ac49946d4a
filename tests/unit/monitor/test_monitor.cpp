// SPDX-License-Identifier: BSD-2-Clause
// The monitor from key to output: every command, its errors, completion and slicing.
#include "core/monitor/monitor.hpp"

#include "fake_machine.hpp"

#include "core/console/sanitizer.cpp"
#include "core/console/text_log.cpp"
#include "core/console/text_out.cpp"
#include "core/monitor/command_table.cpp"
#include "core/monitor/completion.cpp"
#include "core/monitor/console_commands.cpp"
#include "core/monitor/cpu_commands.cpp"
#include "core/monitor/dump_command.cpp"
#include "core/monitor/events_command.cpp"
#include "core/monitor/exits_command.cpp"
#include "core/monitor/format.cpp"
#include "core/monitor/grants_command.cpp"
#include "core/monitor/guest_memory.cpp"
#include "core/monitor/help_command.cpp"
#include "core/monitor/line_editor.cpp"
#include "core/monitor/machine_commands.cpp"
#include "core/monitor/memory_command.cpp"
#include "core/monitor/monitor.cpp"
#include "core/monitor/partition_commands.cpp"
#include "core/monitor/partition_info.cpp"
#include "core/monitor/pci_command.cpp"
#include "core/monitor/slots_command.cpp"
#include "core/monitor/store_command.cpp"
#include "core/monitor/trace_command.cpp"
#include "core/monitor/vcpu_commands.cpp"
#include "core/monitor/words.cpp"

#include "tests/unit/store/store_box.hpp"
#include "tests/unit/store/units.hpp"

#include <random>
#include <string>
#include <vector>

#include <CppUTest/TestHarness.h>

namespace bulkhead {
constinit std::atomic<bool> trace_enabled{false};

struct HardwarePartition {};

extern const HardwareOperations hardware_operations = [] {
    HardwareOperations made{};
    made.exit_name = [](size_t reason) -> const char* { return reason == 0 ? "CPUID" : reason == 1 ? "HLT" : nullptr; };
    made.exit_count = [](const Vcpu& vcpu, size_t reason) -> uint64_t { return reason == 0 ? 40 + vcpu.number.raw() : 0; };
    return made;
}();
}

using namespace bulkhead;

namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

size_t longest_line(const std::string& text)
{
    size_t longest = 0;
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = std::min(text.find("\r\n", begin), text.size());
        longest = std::max(longest, end - begin);
        begin = end + 2;
    }
    return longest;
}

}  // namespace

#define CHECK_SHOWS(text, part)                                             \
    do {                                                                    \
        const std::string shown_ = (text);                                  \
        CHECK_TEXT(contains(shown_, part), shown_.c_str());                 \
    } while (false)

TEST_GROUP(Monitor)
{
    int slices = 0;

    void setup() override
    {
        fake::reset_memory();
        fake::make_world({"gateway", "logger"});
        monitor.run = CommandRun{};
        std::destroy_at(&monitor.editor);
        std::construct_at(&monitor.editor);
        core_source().log = TextLog();
    }
    std::string keys(std::string_view text)
    {
        std::string shown;
        for (const char key : text) {
            TextOut out;
            monitor_key(static_cast<uint8_t>(key), out);
            CHECK(out.size() <= 1024);
            shown += out.view();
        }
        return shown;
    }
    std::string rest(int at_most = 100'000)
    {
        std::string shown;
        slices = 0;
        for (int i = 0; i < at_most && monitor.run.step != nullptr; ++i) {
            TextOut out;
            if (!monitor_fill(out))
                break;
            CHECK(out.size() <= step_bytes);
            shown += out.view();
            ++slices;
        }
        return shown;
    }
    // The output of a command, without the echo of the line and the prompt at the end.
    std::string run(std::string_view line)
    {
        keys("\x15");
        keys(line);
        std::string shown = keys("\r");
        shown += rest();
        CHECK(monitor.run.step == nullptr || monitor_waits());
        shown.erase(0, 2);
        const size_t prompt = shown.rfind("\rbulkhead> ");
        if (prompt != std::string::npos && fake::turned.empty())
            shown.erase(prompt);
        // Sentences may be longer than tables.
        CHECK_TEXT(longest_line(shown) <= 80 || contains(shown, "there are: "), shown.c_str());
        return shown;
    }
    void map_page(size_t partition, uint64_t address, Mfn frame);
    Mfn own_frame(size_t partition)
    {
        const Mfn frame = fake::new_frame();
        fake::owners[frame.raw()] = static_cast<uint16_t>(partition + 1);
        return frame;
    }
};

void TEST_GROUP_CppUTestGroupMonitor::map_page(size_t partition, uint64_t address, Mfn frame)
{
    Vcpu& vcpu = fake::vcpus[partition][0];
    if (vcpu.pv.kernel_table == Mfn(0))
        vcpu.pv.kernel_table = own_frame(partition);
    fake::vcpus[partition][1].pv.kernel_table = vcpu.pv.kernel_table;
    Mfn table = vcpu.pv.kernel_table;
    for (unsigned level = 4; level > 1; --level) {
        uint64_t& entry = machine::frame_pointer<uint64_t>(table)[address >> (12 + 9 * (level - 1)) & 511];
        if (entry == 0)
            entry = pte::make(own_frame(partition), pte::present | pte::user);
        table = pte::frame(entry);
    }
    machine::frame_pointer<uint64_t>(table)[address >> 12 & 511] = pte::make(frame, pte::present | pte::user);
}

TEST(Monitor, greets_and_prompts)
{
    TextOut out;
    monitor_open(out);
    CHECK(contains(std::string(out.view()), "`help` lists the commands"));
    CHECK(contains(std::string(out.view()), "\rbulkhead> "));
}

TEST(Monitor, says_which_command_was_meant)
{
    STRCMP_EQUAL("'pa' may mean parts or part.\r\n", run("pa").c_str());
    CHECK_SHOWS(run("evnts"), "no command is named 'evnts'; there are: help, parts, part,");
    CHECK_SHOWS(run("evnts"), "Did you mean events?");
}

TEST(Monitor, does_nothing_for_an_empty_line)
{
    STRCMP_EQUAL("", run("   ").c_str());
}

TEST(Monitor, says_how_a_command_is_used_when_there_are_too_many_words)
{
    STRCMP_EQUAL("parts: too many words; it is used as: parts\r\n", run("parts all").c_str());
    STRCMP_EQUAL("events: too many words; it is used as: events [NAME]\r\n", run("events a b").c_str());
    STRCMP_EQUAL("part: too many words; it is used as: part NAME info\r\n", run("part gateway info x").c_str());
    CHECK_SHOWS(run("part gateway dump 1 2 3"), "too many words");
    CHECK_SHOWS(run("part 1 2 3 4 5 6 7"), "too many words");
}

TEST(Monitor, takes_clear_abbreviations)
{
    CHECK_SHOWS(run("ver"), "Bulkhead ");
    CHECK_SHOWS(run("part gat i"), "gateway, domain 1, type pv");
    CHECK_SHOWS(run("part 2 i"), "logger, domain 2, type pv");
}

TEST(Monitor, lists_its_commands_and_explains_one)
{
    const std::string all = run("help");
    for (const Command& command : commands())
        CHECK_SHOWS(all, command.name);
    CHECK_SHOWS(run("help trace"), "trace on|off|show: record");
    CHECK_SHOWS(run("help part"), "dump     ADDR [LEN]");
    CHECK_SHOWS(run("help xyz"), "help: no command is named 'xyz'");
}

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

TEST(Monitor, works_without_any_partition)
{
    fake::make_world({});
    CHECK_SHOWS(run("parts"), "no partitions");
    CHECK_SHOWS(run("part x info"), "no partition is named 'x'; there is none.");
    for (const char* command : {"events", "grants", "exits", "mem", "sched", "cpus", "log", "help"})
        (void)run(command);
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

TEST(Monitor, shows_cpus_with_what_they_offer)
{
    fake::cpus[0].current = &fake::vcpus[0][0];
    fake::cpus[0].interrupts = 42;
    fake::cpus[0].idle_ticks = 6'172'839'450;
    fake::cpus[1].idle_ticks = 0;
    const std::string text = run("cpus");
    CHECK_SHOWS(text, "  0     0   50.0 %           42            0  gateway vCPU 0\r\n");
    CHECK_SHOWS(text, "  1     2    0.0 %");
    CHECK_SHOWS(text, "idle\r\n");
    CHECK_SHOWS(text, "model            A CPU Model\r\n");
    CHECK_SHOWS(text, "\r\n                 ");
    fake::cpus[0].interrupts = 0;
}

TEST(Monitor, shows_what_each_cpu_schedules)
{
    fake::vcpus[0][0].schedule.budget_ns = 2'000'000;
    fake::vcpus[0][0].schedule.period_ns = 10'000'000;
    fake::vcpus[0][1].hold = hold_budget;
    ScheduleWindow windows[3] = {};
    fake::cpus[1].schedule.windows = windows;
    const std::string text = run("sched");
    fake::cpus[1].schedule.windows = {};
    CHECK_SHOWS(text, "CPU 0 runs idle\r\n");
    CHECK_SHOWS(text, "2000/10000\r\n");
    CHECK_SHOWS(text, "CPU 1 runs idle; window 1 of 3 is open");
    CHECK_SHOWS(text, "out of budget");
}

TEST(Monitor, shows_who_has_which_memory)
{
    fake::unused_range = {Mfn(0), 256};
    fake::partitions[0].memory.counters.writes_emulated = 77;
    const std::string text = run("mem");
    CHECK_SHOWS(text, "core: 2 MiB of tables, taken at start; 1 MiB are nobody's\r\n");
    CHECK_SHOWS(text, "gateway: 256 MiB, of which its kernel has 256 MiB\r\n");
    CHECK_SHOWS(text, "  0x000010000000 to 0x00001fffffff    256 MiB\r\n");
    CHECK_SHOWS(text, "stores to page tables emulated                         77\r\n");
    CHECK_FALSE(contains(text, "refused"));
}

TEST(Monitor, shows_open_event_channels_only)
{
    fake::ports[1] = {PortState::core, 0, DomainId(0), 0, false, false};
    fake::ports[2] = {PortState::virq, 1, DomainId(0), 0, true, true};
    fake::ports[3] = {PortState::interdomain, 0, DomainId(2), 9, false, false};
    fake::ports[4095] = {PortState::unbound, 0, DomainId(7), 0, false, false};
    const std::string text = run("events gateway");
    CHECK_SHOWS(text, "     1  core             0                   the core\r\n");
    CHECK_SHOWS(text, "     2  virq             1  yes      yes     virq 0, timer\r\n");
    CHECK_SHOWS(text, "logger port 9\r\n");
    CHECK_SHOWS(text, "  4095  unbound          0                   for domain 7\r\n");
    CHECK(slices >= 32);
    CHECK_FALSE(contains(text, "logger\r\n"));
    CHECK_SHOWS(run("events"), "logger\r\n");
    fake::ports.clear();
    CHECK_SHOWS(run("events"), "no open port");
    CHECK_SHOWS(run("events nobody"), "events: no partition is named 'nobody'");
}

TEST(Monitor, shows_grants_that_are_in_use)
{
    GrantTable& table = fake::partitions[0].grants;
    table.open = true;
    table.frames = 1;
    table.max_frames = 64;
    table.valid_refs = 512;
    fake::grants[0] = {GTF_permit_access, DomainId(0), Mfn(0x1234), 0, 0};
    fake::grants[9] = {GTF_permit_access | GTF_readonly, DomainId(2), Mfn(0x1235), 1, 0};
    fake::grants[10] = {GTF_transitive, DomainId(9), Mfn(1), 0, 0};
    const std::string text = run("grants gateway");
    CHECK_SHOWS(text, "gateway: table of 1 frame, at most 64; maps 0 of others");
    CHECK_SHOWS(text, "      0  core                    0x1234  read, write     0        0\r\n");
    CHECK_SHOWS(text, "      9  logger                  0x1235  read            1        0\r\n");
    CHECK_SHOWS(text, "     10  ?");
    CHECK_SHOWS(run("grants"), "logger: table of 0 frames");
    CHECK_SHOWS(run("grants nobody"), "no partition is named");
}

TEST(Monitor, shows_why_guests_came_into_the_core)
{
    fake::vcpus[0][0].hypercalls.calls[17] = 5;
    fake::vcpus[0][1].hypercalls.calls[17] = 6;
    fake::vcpus[0][1].hypercalls.refused[17] = 2;
    fake::vcpus[0][0].hypercalls.calls[hypercall_out_of_range] = 1;
    fake::vcpus[0][0].pv.emulation.counts[static_cast<size_t>(Trapped::cpuid)] = 9;
    const std::string text = run("exits gateway");
    CHECK_SHOWS(text, "  xen_version                        11             2\r\n");
    CHECK_SHOWS(text, "  out of range                        1             0\r\n");
    CHECK_SHOWS(text, "  trapped: CPUID                               9\r\n");
    CHECK_SHOWS(run("exits"), "logger\r\n");
    CHECK_SHOWS(run("exits nobody"), "no partition is named");
}

TEST(Monitor, shows_why_hardware_vcpus_have_left)
{
    HardwarePartition hardware;
    fake::partitions[0].hardware = &hardware;
    const std::string text = run("exits");
    fake::partitions[0].hardware = nullptr;
    CHECK_SHOWS(text, "gateway\r\n  exit: CPUID                                 81\r\nlogger\r\n");
    CHECK_FALSE(contains(text, "HLT"));
    CHECK_FALSE(contains(run("exits"), "exit:"));
}

TEST(Monitor, shows_interrupts_that_came)
{
    fake::interrupts[vector_uart] = 1000;
    fake::interrupts[0x77] = 1;
    const std::string text = run("irq");
    CHECK_SHOWS(text, "  0x30         1000  serial port\r\n");
    CHECK_SHOWS(text, "  0x77            1  unexpected\r\n");
    CHECK_SHOWS(text, "CPU 0: 0, CPU 1: 0\r\n");
}

TEST(Monitor, says_plainly_what_the_box_does_not_have)
{
    CHECK_SHOWS(run("pci"), "No PCI device answers.");
    CHECK_SHOWS(run("acpi"), "The firmware has no ACPI tables.");
}

TEST(Monitor, lists_pci_functions_with_their_kind_and_interrupts)
{
    PciFunction card{};
    card.address = pci_address(1, 2, 3);
    card.vendor = 0x8086;
    card.device = 0x10d3;
    card.class_code = 0x020000;
    card.msix = 0xa0;
    PciFunction odd{};
    odd.class_code = 0xff0000;
    fake::pci_devices = {card, odd};
    fake::pci_count = 2;
    const std::string text = run("pci");
    CHECK_SHOWS(text, "01:02.3  8086:10d3      020000  MSI-X       Ethernet card\r\n");
    CHECK_SHOWS(text, "ff0000  none        device\r\n");
    CHECK_SHOWS(text, "There are more than fit the table.");
    CHECK_SHOWS(text, "IOMMU: none\r\n");
}

TEST(Monitor, shows_the_firmwares_tables)
{
    AcpiFacts& facts = fake::acpi_facts;
    facts.present = true;
    facts.problem = "one table has a wrong checksum";
    facts.table_count = 2;
    facts.tables[0] = {{"FACP"}, {"BOCHS "}, 3, true, HostPhysical(0x3ffe1000), 244};
    facts.tables[1] = {{"XXXX"}, {"BAD"}, 1, false, HostPhysical(0x3ffe2000), 10};
    facts.override_count = 1;
    facts.overrides[0] = {0, 2, false, false};
    facts.pci_segment_count = 1;
    facts.pci_segments[0] = {HostPhysical(0xb0000000), 0, 0, 255};
    const std::string text = run("acpi");
    CHECK_SHOWS(text, "problem: one table has a wrong checksum");
    CHECK_SHOWS(text, "FACP   BOCHS          3    0x3ffe1000      244\r\n");
    CHECK_SHOWS(text, "damaged, not used");
    CHECK_SHOWS(text, "ISA line 0 is line 2, edge, active high");
    CHECK_SHOWS(text, "buses 0 to 255 at 0xb0000000");
}

TEST(Monitor, shows_logs_with_times_and_without_control_sequences)
{
    ConsoleSource& source = fake::sources[0];
    source.log.append("one\x1b[31m\r\n\ntwo", Nanoseconds(1'234'567'000));
    STRCMP_EQUAL("[    1.234567] one\r\n\r\n[    1.234567] two\r\n", run("part gateway log").c_str());
    CHECK_SHOWS(run("part logger log"), "The log is empty.");
    static char memory[4096];
    core_source().log.use(memory);
    core_source().log.append("core line\n", Nanoseconds(0));
    CHECK_SHOWS(run("log"), "[    0.000000] core line\r\n");
}

TEST(Monitor, ends_a_log_although_its_source_writes_on)
{
    ConsoleSource& source = fake::sources[0];
    source.log.append("first\nsecond\n", Nanoseconds(0));
    keys("part gateway log\r");
    std::string text;
    for (int i = 0; i < 20 && monitor.run.step != nullptr; ++i) {
        source.log.append("more\n", Nanoseconds(0));
        text += rest(1);
    }
    CHECK(contains(text, "second"));
    CHECK_FALSE(contains(text, "more"));
    CHECK(monitor.run.step == nullptr);
}

TEST(Monitor, says_when_a_log_was_overwritten_while_it_was_shown)
{
    ConsoleSource& source = fake::sources[0];
    for (int i = 0; i < 200; ++i)
        source.log.append("line\n", Nanoseconds(0));
    keys("part gateway log\r");
    std::string text = rest(3);
    for (int i = 0; i < 250; ++i)
        source.log.append("line\n", Nanoseconds(0));
    text += rest();
    CHECK(contains(text, "lines were overwritten meanwhile]"));
}

TEST(Monitor, shows_long_lines_of_a_log_whole)
{
    fake::sources[0].log.append(std::string(500, 'x') + "\n", Nanoseconds(0));
    keys("part gateway log\r");
    const std::string text = rest();
    LONGS_EQUAL(500, std::count(text.begin(), text.end(), 'x'));
}

TEST(Monitor, turns_the_terminal_elsewhere)
{
    (void)run("attach log");
    STRCMP_EQUAL("2", fake::turned.c_str());
    fake::turned.clear();
    (void)run("quit");
    STRCMP_EQUAL("overview", fake::turned.c_str());
    fake::turned.clear();
    CHECK_SHOWS(run("attach"), "attach: to which partition? There are: gateway and logger.");
    CHECK_SHOWS(run("attach x"), "attach: no partition is named 'x'");
}

TEST(Monitor, ends_the_box_only_by_the_whole_word_and_after_saying_so)
{
    STRCMP_EQUAL("reboot: write it in full, it ends every partition.\r\n", run("reb").c_str());
    STRCMP_EQUAL("poweroff: write it in full, it ends every partition.\r\n", run("pow").c_str());
    CHECK_SHOWS(keys("reboot\r"), "The box is being reset.");
    TextOut out;
    bool ended = false;
    try {
        (void)monitor_fill(out);
    } catch (const fake::BoxEnded& end) {
        ended = std::string_view(end.how) == "reboot";
    }
    CHECK(ended);
    monitor.run = CommandRun{};
    CHECK_SHOWS(keys("\x15poweroff\r"), "The box is being switched off.");
    ended = false;
    try {
        (void)monitor_fill(out);
    } catch (const fake::BoxEnded& end) {
        ended = std::string_view(end.how) == "poweroff";
    }
    CHECK(ended);
}

TEST(Monitor, shows_version_and_uptime)
{
    const std::string text = run("version");
    CHECK_SHOWS(text, "compiled with GCC ");
    CHECK_SHOWS(text, "up for 12.345 s; clock by HPET, TSC 1000.000 MHz, the same on all CPUs");
    CHECK_SHOWS(text, "serial port: COM1");
}

TEST(Monitor, switches_the_trace_and_shows_it_in_the_order_of_time)
{
    STRCMP_EQUAL("trace is off; on, off or show?\r\n", run("trace").c_str());
    CHECK_SHOWS(run("trace on"), "trace is on.");
    CHECK(trace_enabled);
    CHECK_SHOWS(run("trace show"), "Nothing was recorded");
    CHECK_FALSE(trace_enabled);
    CHECK_SHOWS(run("trace maybe"), "trace: no action is named 'maybe'; there are: on, off and show.");
    auto add = [](size_t cpu, uint64_t time, TraceEvent event, uint64_t a, uint64_t b) {
        TraceRing& ring = fake::trace_rings[cpu];
        ring.records[ring.count++ % ring.records.size()] = {TscTicks(time), a, b, event};
    };
    add(1, 1'000'000'001, TraceEvent::trap, 14 | uint64_t{2} << 32, 0xffffffff81000000);
    add(0, 1'000'000'002, TraceEvent::hypercall, 17, 0);
    add(1, 1'000'000'002, TraceEvent::vcpu_enter, 1 << 16 | 1, 0);
    add(0, 1'000'000'003, TraceEvent::interrupt, 0xf0, 0);
    STRCMP_EQUAL("     1.000000001  CPU 1   trap       14, error 0x2, at 0xffffffff81000000\r\n"
                 "     1.000000002  CPU 0   hypercall  xen_version(0)\r\n"
                 "     1.000000002  CPU 1   enters     gateway vCPU 1\r\n"
                 "     1.000000003  CPU 0   interrupt  0xf0\r\n",
                 run("trace show").c_str());
    for (uint64_t i = 0; i < 600; ++i)
        add(0, 2'000'000'000 + i, TraceEvent::interrupt, i, 0);
    run("trace show");
    LONGS_EQUAL(256 + 2 + 1, slices);
    CHECK_SHOWS(run("trace off"), "trace is off.");
}

TEST(Monitor, stops_long_output_on_control_c_and_forgets_what_was_typed)
{
    keys("part gateway dump 0 0x10000\r");
    CHECK(monitor.run.step != nullptr);
    STRCMP_EQUAL("", keys("help\r").c_str());   // forgotten
    STRCMP_EQUAL("^C\r\n\rbulkhead> \x1b[K", keys("\x03").c_str());
    CHECK(monitor.run.step == nullptr);
}

TEST(Monitor, does_what_was_typed_ahead_after_the_command)
{
    keys("part gateway dump 0 100\r");
    STRCMP_EQUAL("", keys("trace\rev\t").c_str());
    std::string shown;
    for (int i = 0; i < 200; ++i) {
        TextOut out;
        if (!monitor_fill(out))
            break;
        shown += out.view();
    }
    CHECK_SHOWS(shown, "bulkhead> \x1b[Ktrace\r\ntrace is off");
    STRCMP_EQUAL("events ", std::string(monitor.editor.line()).c_str());
}

TEST(Monitor, draws_its_prompt_again_only_when_it_waits_for_a_line)
{
    TextOut out;
    keys("par");
    monitor_redraw(out);
    STRCMP_EQUAL("\rbulkhead> par\x1b[K", std::string(out.view()).c_str());
    keys("\x15part gateway dump 0 0x10000\r");
    out.clear();
    monitor_redraw(out);
    CHECK(out.empty());
}

TEST(Monitor, completes_commands_partitions_and_actions)
{
    const auto line_after = [this](std::string_view typed) {
        keys("\x15");
        keys(typed);
        return std::string(monitor.editor.line());
    };
    STRCMP_EQUAL("events ", line_after("ev\t").c_str());
    STRCMP_EQUAL("part", line_after("pa\t").c_str());
    STRCMP_EQUAL("part gateway ", line_after("part ga\t").c_str());
    STRCMP_EQUAL("part gateway pause ", line_after("part gateway pa\t").c_str());
    STRCMP_EQUAL("ev logger ", line_after("ev l\t").c_str());
    STRCMP_EQUAL("trace show ", line_after("trace s\t").c_str());
    STRCMP_EQUAL("help version ", line_after("help v\t").c_str());
    STRCMP_EQUAL("parts ", line_after("parts\t").c_str());
}

TEST(Monitor, lists_what_a_word_may_become)
{
    CHECK_SHOWS(keys("part gateway re\t"), "\r\nregs  restart  resume  \r\n\rbulkhead> part gateway re");
    keys("\x15");
    CHECK_SHOWS(keys("part \t"), "gateway  logger");
    keys("\x15");
    const std::string all = keys("\t");
    CHECK_SHOWS(all, "help  parts  part  attach");
    CHECK(longest_line(all) <= 80);
}

TEST(Monitor, beeps_when_there_is_nothing_to_complete)
{
    keys("xyz");
    STRCMP_EQUAL("\a", keys("\t").c_str());
    keys("\x15version x");
    STRCMP_EQUAL("\a", keys("\t").c_str());
}

TEST(Monitor, survives_any_line)
{
    std::mt19937 random(11);
    constexpr std::string_view words[] = {"part", "parts", "gateway", "logger", "info", "regs", "bt", "dump", "log",
                                          "events", "grants", "exits", "0", "1", "0xffffffffffffffff", "trace", "on",
                                          "show", "help", "cpus", "sched", "mem", "irq", "acpi", "pause", "x", "\t"};
    for (int round = 0; round < 3000; ++round) {
        std::string line = "\x15";
        for (size_t i = random() % 7; i > 0; --i)
            line += std::string(words[random() % std::size(words)]) + " ";
        if (random() % 4 == 0)
            line += static_cast<char>(random());
        keys(line + "\r");
        rest();
        if (monitor.run.step != nullptr)
            keys("\x03");
    }
}

TEST(Monitor, says_that_an_image_is_in_no_slot)
{
    fake::slot = {};
    CHECK_SHOWS(run("slots"), "This image was not started from a slot.");
    CHECK_SHOWS(run("slots use A"), "This image was not started from a slot.");
}

TEST(Monitor, shows_the_slots_and_lets_the_operator_choose)
{
    fake::slot = {{1, true, 7, 6, 60}, SlotHealth::waiting, BootSlot::none, machine::now() + 5'000'000'000};
    fake::slot_can_be_chosen = true;
    CHECK_SHOWS(run("slots"), "slot B runs: version 7, on trial, not yet judged: in ");
    CHECK_SHOWS(run("slots"), "slot A could start: version 6");
    CHECK_SHOWS(run("slots use a"), "Slot A starts from the next reboot on.");
    CHECK_SHOWS(run("slots"), "slot A is to start next");
    CHECK_SHOWS(run("slots use C"), "slots use A, or slots use B");
    CHECK_SHOWS(run("slots keep"), "slots, or slots use A|B");
}

TEST(Monitor, does_not_choose_a_slot_that_holds_nothing)
{
    fake::slot = {{0, false, 7, 0, 60}, SlotHealth::healthy, BootSlot::none, never};
    CHECK_SHOWS(run("slots"), "slot A runs: version 7, proved, healthy");
    CHECK_SHOWS(run("slots"), "slot B holds nothing that could start");
    CHECK_SHOWS(run("slots use B"), "Slot B holds nothing that could start.");
}

TEST(Monitor, says_when_the_choice_of_a_slot_cannot_be_kept)
{
    fake::slot = {{0, false, 7, 6, 60}, SlotHealth::unhealthy, BootSlot::none, never};
    fake::slot_can_be_chosen = false;
    CHECK_SHOWS(run("slots"), "proved, not healthy");
    CHECK_SHOWS(run("slots use B"), "The note for the next start cannot be left");
}

// The region of a real store, in the frames of the second partition.
TEST_GROUP_BASE(StoreCommand, TEST_GROUP_CppUTestGroupMonitor)
{
    static constexpr size_t bytes = 256 << 10;
    store::StoreBox box{1, bytes};

    void setup() override
    {
        TEST_GROUP_CppUTestGroupMonitor::setup();
        Partition& service = fake::partitions[1];
        service.id = DomainId(BULKHEAD_DOMAIN_STORE);
        fake::plans[1].type = plan::PartitionType::service;
        fake::plans[1].persistent_pfn = 4;
        fake::plans[1].persistent_frames = bytes / page_size;
        service.memory.ranges[0] = {Mfn(fake::arena_first), 20};
        service.memory.ranges[1] = {Mfn(fake::arena_first + 100), 100};
        service.memory.range_count = 2;
        std::memset(fake::frame_bytes(Mfn(fake::arena_first + 4)), 0, page_size);
        box.start();
        STRCMP_EQUAL("", box.write(0, "data/x", "a value\x1b[31m").c_str());
    }
    // What the store has goes where the service's frames are: 16 of them in the first range.
    void show_region()
    {
        std::memcpy(fake::frame_bytes(Mfn(fake::arena_first + 4)), box.memory(), 16 * page_size);
        std::memcpy(fake::frame_bytes(Mfn(fake::arena_first + 100)), box.memory() + 16 * page_size, bytes - 16 * page_size);
    }
};

TEST(StoreCommand, shows_clients)
{
    show_region();
    CHECK_SHOWS(run("store"), "guest1           connected      2      0      0      0      4         1        0");
}

TEST(StoreCommand, shows_the_nodes_of_a_partition_harmlessly)
{
    show_region();
    const std::string shown = run("store gateway");
    CHECK_SHOWS(shown, "/local/domain/1, gateway");
    CHECK_SHOWS(shown, "    data = \"\"  n1");
    CHECK_SHOWS(shown, "      x = \"a value.[31m\"  n1");
    CHECK_SHOWS(shown, "    name = \"guest1\"  n0,r1");
}

TEST(StoreCommand, says_what_is_missing)
{
    CHECK_SHOWS(run("store"), "store: its memory holds no store, or not yet.");
    show_region();
    CHECK_SHOWS(run("store logger"), "store: it knows nothing about logger.");
    CHECK_SHOWS(run("store nobody"), "no partition is named");
    fake::plans[1].type = plan::PartitionType::pv;
    CHECK_SHOWS(run("store"), "store: this plan has none.");
}

TEST(StoreCommand, survives_any_damage)
{
    std::mt19937 random(3);
    for (int round = 0; round < 300; ++round) {
        show_region();
        for (int i = 0; i < 40; ++i) {
            const size_t offset = random() % bytes & ~size_t{3};
            const size_t frame = offset / page_size;
            const Mfn at(fake::arena_first + (frame < 16 ? 4 + frame : 84 + frame));
            const uint32_t value = random() % 2 == 0 ? static_cast<uint32_t>(random()) : static_cast<uint32_t>(random() % 200);
            std::memcpy(fake::frame_bytes(at) + offset % page_size, &value, sizeof(value));
        }
        run("store");
        run("store gateway");
    }
}
