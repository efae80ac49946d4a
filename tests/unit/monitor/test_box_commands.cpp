// SPDX-License-Identifier: BSD-2-Clause
// The monitor's commands about the box and what its partitions share, store and slots included.
#include "monitor_fixture.hpp"

#include <random>

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
