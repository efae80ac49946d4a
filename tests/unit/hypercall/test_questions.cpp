// SPDX-License-Identifier: BSD-2-Clause
#include "core/questions.hpp"

#include "core/hypercall.hpp"

#include "fake_core.hpp"
#include "fake_world.hpp"

#include "core/console/text_log.cpp"
#include "core/questions.cpp"

#include <tuple>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

namespace {

ConsoleSource core_log;
ConsoleSource partition_log;

}  // namespace

namespace bulkhead {

ConsoleSource& core_source() { return core_log; }

vcpu_runstate_info_t runstate_of(const Vcpu& vcpu) { return vcpu.time.runstate; }

}  // namespace bulkhead

TEST_GROUP(Questions)
{
    static constexpr uint64_t record_at = 0x20000;
    std::unique_ptr<fake::World> world;
    std::array<char, 1024> memory{};
    union {
        bulkhead_box_info box;
        bulkhead_cpu_info cpu;
        bulkhead_partition_info partition;
        bulkhead_log_text text;
    } record{};

    void setup() override
    {
        fake::reset_core();
        world = std::make_unique<fake::World>(2);
        fake::map_guest(record_at, record);
        Partition& service = (*world)[1];
        world->plans[1].flags = plan::may_ask;
        service.service.clients_frame = fake::new_frame();
        service.service.clients = machine::frame_pointer<std::atomic<uint64_t>>(service.service.clients_frame);
        core_log.log = TextLog(memory);
        (*world)[0].console.source = &partition_log;
        memset(&record, 0, sizeof(record));
    }
    void teardown() override { world.reset(); }
    long ask(uint32_t operation, size_t partition = 1, uint64_t argument = record_at)
    {
        return answer_question((*world)[partition], operation, GuestVirtual(argument));
    }
    // All of the core's log, each part followed by its flags.
    std::string read_log()
    {
        std::string all;
        memset(&record, 0, sizeof(record));
        for (record.text.log = BULKHEAD_NO_PARTITION;;) {
            LONGS_EQUAL(0, ask(BULKHEADOP_log_text));
            if (record.text.flags == 0)
                return all;
            all += std::string(record.text.text, record.text.length) + "/" + std::to_string(record.text.flags) + " ";
        }
    }
};

TEST(Questions, are_for_whom_the_plan_lets_ask)
{
    LONGS_EQUAL(-XEN_EPERM, ask(BULKHEADOP_box_info, 0));
    world->plans[1].flags = plan::autostart;
    LONGS_EQUAL(-XEN_EPERM, ask(BULKHEADOP_box_info));
    world->plans[1].flags = plan::may_ask;
    LONGS_EQUAL(0, ask(BULKHEADOP_box_info));
    LONGS_EQUAL(-XEN_ENOSYS, ask(BULKHEADOP_box_info - 1));
    LONGS_EQUAL(-XEN_ENOSYS, ask(BULKHEADOP_log_text + 1));
    LONGS_EQUAL(-XEN_EFAULT, ask(BULKHEADOP_box_info, 1, 0x90000));
}

TEST(Questions, tell_the_box)
{
    fake::cpus_in_use = 3;
    LONGS_EQUAL(0, ask(BULKHEADOP_box_info));
    UNSIGNED_LONGLONGS_EQUAL(fake::tsc, record.box.uptime_ns);
    LONGS_EQUAL(3, record.box.cpus);
    LONGS_EQUAL(2, record.box.partitions);
    STRCMP_EQUAL(BULKHEAD_VERSION, record.box.version);
}

TEST(Questions, tell_a_cpu)
{
    fake::cpus_in_use = 1;
    Vcpu& vcpu = world->vcpu(0);
    vcpu.time.runstate.time[RUNSTATE_running] = 77;
    Cpu& cpu = fake::cpus[0];
    const auto schedule = std::pair(cpu.schedule.vcpus, cpu.schedule.vcpu_count);
    Vcpu* its[] = {&vcpu};
    cpu.schedule.vcpus = its;
    cpu.schedule.vcpu_count = 1;
    LONGS_EQUAL(0, ask(BULKHEADOP_cpu_info));
    UNSIGNED_LONGLONGS_EQUAL(77, record.cpu.used_ns);
    UNSIGNED_LONGLONGS_EQUAL(BULKHEAD_NO_PARTITION, record.cpu.partition);
    cpu.current = &vcpu;
    LONGS_EQUAL(0, ask(BULKHEADOP_cpu_info));
    LONGS_EQUAL(0, record.cpu.partition);
    cpu.current = nullptr;
    std::tie(cpu.schedule.vcpus, cpu.schedule.vcpu_count) = schedule;
    record.cpu.cpu = 1;
    LONGS_EQUAL(-XEN_ENOENT, ask(BULKHEADOP_cpu_info));
}

TEST(Questions, tell_a_partition)
{
    Partition& partition = (*world)[0];
    partition.health.starts = 3;
    partition.health.crashes = 2;
    partition.health.watchdog_fires = 1;
    world->vcpu(0).time.runstate.time[RUNSTATE_running] = 99;
    LONGS_EQUAL(0, ask(BULKHEADOP_partition_info));
    LONGS_EQUAL(partition.id.raw(), record.partition.domain);
    LONGS_EQUAL(static_cast<long>(partition.state.load()), record.partition.state);
    LONGS_EQUAL(3, record.partition.starts);
    LONGS_EQUAL(2, record.partition.crashes);
    LONGS_EQUAL(1, record.partition.watchdogs);
    UNSIGNED_LONGLONGS_EQUAL(99, record.partition.used_ns);
    STRCMP_EQUAL(partition.name(), record.partition.name);
    record.partition.index = 2;
    LONGS_EQUAL(-XEN_ENOENT, ask(BULKHEADOP_partition_info));
}

TEST(Questions, tell_a_log_in_parts)
{
    CHECK(read_log().empty());
    core_log.log.append("one\n\n" + std::string(300, 'x') + "\nopen", Nanoseconds(5000));
    const std::string expected =
        "one/7 /5 " + std::string(228, 'x') + "/3 " + std::string(72, 'x') + "/5 open/3 ";
    STRCMP_EQUAL(expected.c_str(), read_log().c_str());
    record.text.position = 0;
    LONGS_EQUAL(0, ask(BULKHEADOP_log_text));
    UNSIGNED_LONGLONGS_EQUAL(5000, record.text.time_ns);
    record.text.log = 2;
    LONGS_EQUAL(-XEN_ENOENT, ask(BULKHEADOP_log_text));
}

TEST(Questions, go_on_where_a_log_has_been_overwritten)
{
    core_log.log.append("first\n", Nanoseconds(0));
    record.text.log = BULKHEAD_NO_PARTITION;
    LONGS_EQUAL(0, ask(BULKHEADOP_log_text));
    for (int i = 0; i < 200; ++i)
        core_log.log.append("line " + std::to_string(i) + "\n", Nanoseconds(0));
    LONGS_EQUAL(0, ask(BULKHEADOP_log_text));
    CHECK(std::string_view(record.text.text, 5) == "line ");
}

TEST(Questions, take_any_position)
{
    core_log.log.append("one\ntwo\n", Nanoseconds(0));
    for (uint64_t position = 1; position < 40; ++position)
        for (const uint64_t bit : {uint64_t{0}, uint64_t{1} << 63}) {
            record.text.log = BULKHEAD_NO_PARTITION;
            record.text.position = position | bit;
            LONGS_EQUAL(0, ask(BULKHEADOP_log_text));
            CHECK(record.text.length <= sizeof(record.text.text));
        }
    record.text.position = UINT64_MAX;
    LONGS_EQUAL(0, ask(BULKHEADOP_log_text));
    LONGS_EQUAL(0, record.text.flags);
}
