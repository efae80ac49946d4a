// SPDX-License-Identifier: BSD-2-Clause
// A sound plan is built by hand and spoilt in one place at a time: each must be found.
#include "core/plan_check.hpp"

#include "core/plan_check.cpp"

#include "tests/unit/core/plan_fixture.hpp"

#include <CppUTest/TestHarness.h>

#include <cstring>
#include <functional>
#include <string>
#include <vector>

using namespace bulkhead;
using namespace bulkhead::plan;
using namespace bulkhead::test;

namespace {

// The plan in memory of its own, with its checksum, as far as `bytes`.
const char* verdict(TestPlan plan, uint64_t bytes = total_bytes)
{
    std::vector<uint64_t> memory(total_bytes / 8 + 1);
    plan.header.tables_crc32 = 0;
    std::memcpy(memory.data(), &plan, sizeof(TestPlan));
    const auto* start = reinterpret_cast<const uint8_t*>(memory.data());
    if (plan.header.tables_bytes <= total_bytes)
        plan.header.tables_crc32 = crc32({start, plan.header.tables_bytes});
    std::memcpy(memory.data(), &plan.header, sizeof(Header));
    return check_plan(reinterpret_cast<const Header*>(memory.data()), bytes);
}

void check_found(const std::function<void(TestPlan&)>& spoil, const char* part)
{
    TestPlan plan = good_plan();
    spoil(plan);
    const char* found = verdict(plan);
    if (found == nullptr)
        FAIL((std::string("not found: ") + part).c_str());
    STRCMP_CONTAINS(part, found);
}

}  // namespace

TEST_GROUP(PlanCheck) {};

TEST(PlanCheck, a_sound_plan_is_accepted)
{
    POINTERS_EQUAL(nullptr, verdict(good_plan()));
}

TEST(PlanCheck, the_accessors_find_what_is_there)
{
    const TestPlan plan = good_plan();
    STRCMP_EQUAL("abc", std::string(text(plan.header, plan.header.model)).c_str());
    LONGS_EQUAL(0, text(plan.header, plan.header.source).size());
    LONGS_EQUAL(2, table<Partition>(plan.header, plan.header.partitions).size());
    STRCMP_EQUAL("b", std::string(name_of(table<Partition>(plan.header, plan.header.partitions)[1])).c_str());
    STRCMP_EQUAL("abc", name_of(plan.header, plan.symbols[0]));
    LONGS_EQUAL(5000, stored_bytes(plan.header, plan.payloads[0]).size());
}

TEST(PlanCheck, another_magic_version_or_size_is_found)
{
    check_found([](TestPlan& p) { p.header.magic = 0; }, "no plan here");
    check_found([](TestPlan& p) { p.header.version = 1; }, "another version");
    check_found([](TestPlan& p) { p.header.total_bytes--; }, "size");
    check_found([](TestPlan& p) { p.header.tables_bytes = 8; }, "size");
    check_found([](TestPlan& p) { p.header.tables_bytes = total_bytes + 1; }, "size");
    STRCMP_CONTAINS("too short", verdict(good_plan(), sizeof(Header) - 1));
    for (uint64_t bytes = 0; bytes < total_bytes; bytes += 13)
        CHECK(verdict(good_plan(), bytes) != nullptr);
}

TEST(PlanCheck, any_bit_that_changed_in_the_tables_is_found)
{
    const TestPlan plan = good_plan();
    std::vector<uint64_t> memory(total_bytes / 8 + 1);
    std::memcpy(memory.data(), &plan, sizeof(TestPlan));
    auto* bytes = reinterpret_cast<uint8_t*>(memory.data());
    auto* header = reinterpret_cast<Header*>(memory.data());
    header->tables_crc32 = crc32({bytes, sizeof(TestPlan)});
    POINTERS_EQUAL(nullptr, check_plan(header, total_bytes));
    for (size_t at = 0; at < sizeof(TestPlan); ++at) {
        bytes[at] ^= 0x10;
        CHECK(check_plan(header, total_bytes) != nullptr);
        bytes[at] ^= 0x10;
    }
}

TEST(PlanCheck, tables_outside_their_bounds_are_found)
{
    for (Table Header::*member : {&Header::partitions, &Header::payloads, &Header::windows, &Header::symbols}) {
        check_found([member](TestPlan& p) { (p.header.*member).offset = sizeof(TestPlan) - 8; }, "outside its bounds");
        check_found([member](TestPlan& p) { (p.header.*member).count = 0xffffffff; }, "outside its bounds");
        check_found([member](TestPlan& p) { (p.header.*member).offset = 0; }, "outside its bounds");
        check_found([member](TestPlan& p) { (p.header.*member).offset += 1; }, "outside its bounds");
    }
    check_found([](TestPlan& p) { p.header.model.offset = sizeof(TestPlan); }, "model or source");
    check_found([](TestPlan& p) { p.header.model.count = 2; }, "model or source");
    check_found([](TestPlan& p) { p.header.source.count = 0xffffffff; }, "model or source");
    check_found([](TestPlan& p) { p.header.partitions.count = 0; }, "no partition");
}

TEST(PlanCheck, settings_out_of_range_are_found)
{
    check_found([](TestPlan& p) { p.header.escape = 0; }, "console settings");
    check_found([](TestPlan& p) { p.header.escape = 0x20; }, "console settings");
    check_found([](TestPlan& p) { p.header.panic_reboots = 2; }, "console settings");
    check_found([](TestPlan& p) { p.header.uart_baud_div100 = 0; }, "console settings");
}

TEST(PlanCheck, wrong_payloads_are_found)
{
    check_found([](TestPlan& p) { p.payloads[0].offset = 100; }, "payload is outside");
    check_found([](TestPlan& p) { p.payloads[0].offset = 0; }, "payload is outside");
    check_found([](TestPlan& p) { p.payloads[1].offset = 2 * 4096; }, "overlaps");
    check_found([](TestPlan& p) { p.payloads[1].stored_bytes = 101; }, "payload is outside");
    check_found([](TestPlan& p) { p.payloads[1].stored_bytes = ~uint64_t{0}; }, "payload is outside");
    check_found([](TestPlan& p) { p.payloads[1].encoding = static_cast<Encoding>(2); }, "unknown encoding");
    check_found([](TestPlan& p) { p.payloads[0].size_bytes = 4999; }, "two sizes");
    check_found([](TestPlan& p) { p.payloads[1].size_bytes = 0; }, "size is out of range");
    check_found([](TestPlan& p) { p.payloads[1].size_bytes = ~uint64_t{0}; }, "size is out of range");
}

TEST(PlanCheck, wrong_names_are_found)
{
    check_found([](TestPlan& p) { p.partitions[1].name[0] = 0; }, "no name");
    check_found([](TestPlan& p) { p.partitions[1].name.fill('x'); }, "without an end");
    check_found([](TestPlan& p) { p.partitions[1].name[0] = '\x1b'; }, "does not print");
    check_found([](TestPlan& p) { p.partitions[1].name[0] = 'a'; }, "same name");
}

TEST(PlanCheck, wrong_policies_are_found)
{
    check_found([](TestPlan& p) { p.partitions[0].type = static_cast<PartitionType>(0); }, "type is unknown");
    check_found([](TestPlan& p) { p.partitions[0].type = static_cast<PartitionType>(5); }, "type is unknown");
    for (Action Partition::*member : {&Partition::on_poweroff, &Partition::on_reboot, &Partition::on_crash, &Partition::on_watchdog})
        check_found([member](TestPlan& p) { p.partitions[0].*member = static_cast<Action>(3); }, "policy is unknown");
    check_found([](TestPlan& p) { p.partitions[0].priority = 32; }, "priority");
    check_found([](TestPlan& p) { p.partitions[0].realtime = 2; }, "priority");
    check_found([](TestPlan& p) { p.partitions[0].budget_us = 1; }, "budget");
    check_found([](TestPlan& p) { p.partitions[0].domain = 0; }, "domain id");
    check_found([](TestPlan& p) { p.partitions[0].domain = 0x7000; }, "domain id");
    check_found([](TestPlan& p) { p.partitions[0].type = PartitionType::service; }, "domain id");
    check_found([](TestPlan& p) { p.partitions[1].domain = 1; }, "same domain id");
    check_found([](TestPlan& p) { p.partitions[1].grant_frames = 0; }, "grant frames or ports");
    check_found([](TestPlan& p) { p.partitions[1].console_port = 0; }, "grant frames or ports");
    check_found([](TestPlan& p) { p.partitions[1].store_port = 1; }, "grant frames or ports");
}

TEST(PlanCheck, wrong_cpus_are_found)
{
    check_found([](TestPlan& p) { p.partitions[0].vcpus = 0; }, "number of vCPUs");
    check_found([](TestPlan& p) { p.partitions[0].vcpus = 33; }, "number of vCPUs");
    check_found([](TestPlan& p) { p.partitions[0].cpu_count = 0; }, "number of CPUs");
    check_found([](TestPlan& p) { p.partitions[0].cpu_count = 65; }, "number of CPUs");
    check_found([](TestPlan& p) { p.partitions[0].cpus[0] = 64; }, "CPU is out of range");
}

TEST(PlanCheck, wrong_memory_is_found)
{
    check_found([](TestPlan& p) { p.partitions[0].memory_frames = 0; }, "memory is out of range");
    check_found([](TestPlan& p) { p.partitions[0].max_frames = 1023; }, "memory is out of range");
    check_found([](TestPlan& p) { p.partitions[0].max_frames = uint64_t{1} << 29; }, "memory is out of range");
    check_found([](TestPlan& p) { p.partitions[0].max_frames = 2048; }, "ranges are not its memory");
    check_found([](TestPlan& p) { p.partitions[0].ranges.count = 9; }, "memory ranges are outside");
    check_found([](TestPlan& p) { p.partitions[0].ranges.offset = sizeof(TestPlan) - 8; }, "memory ranges are outside");
    check_found([](TestPlan& p) { p.ranges[0].base = 1; }, "out of bounds");
    check_found([](TestPlan& p) { p.ranges[0].base = uint64_t{1} << 52; }, "out of bounds");
    check_found([](TestPlan& p) { p.ranges[0].size_bytes = 0; }, "out of bounds");
    check_found([](TestPlan& p) { p.ranges[0].size_bytes = ~uint64_t{4095}; }, "out of bounds");
    check_found([](TestPlan& p) { p.ranges[1].base = p.ranges[0].base + 1023 * 4096; }, "two memory ranges overlap");
    check_found([](TestPlan& p) { p.partitions[0].ranges.count = 2; p.partitions[1].ranges.count = 0; p.ranges[1] = p.ranges[0]; },
                "two memory ranges overlap");
}

TEST(PlanCheck, wrong_segments_are_found)
{
    check_found([](TestPlan& p) { p.partitions[0].segments.count = 1000; }, "segments are outside");
    check_found([](TestPlan& p) { p.segments[1].pfn = 21; }, "overlaps another");
    check_found([](TestPlan& p) { p.segments[1].pfn = 1022; }, "outside its memory");
    check_found([](TestPlan& p) { p.segments[1].frames = ~uint64_t{0}; }, "outside its memory");
    check_found([](TestPlan& p) { p.segments[1].payload = 2; }, "has no payload");
    check_found([](TestPlan& p) { p.segments[0].frames = 1; }, "smaller than its payload");
}

TEST(PlanCheck, a_wrong_start_of_day_is_found)
{
    check_found([](TestPlan& p) { p.partitions[1].pv.virt_base = 1; }, "not page-aligned");
    check_found([](TestPlan& p) { p.partitions[1].pv.p2m_base = 1; }, "not page-aligned");
    check_found([](TestPlan& p) { p.partitions[1].pv.mapped_end_pfn = 1025; }, "outside its initial mapping");
    check_found([](TestPlan& p) { p.partitions[1].pv.tables_frames = 3; }, "outside its initial mapping");
    check_found([](TestPlan& p) { p.partitions[1].pv.tables_pfn = 1022; }, "outside its initial mapping");
    for (uint64_t PvStart::*member : {&PvStart::stack_pfn, &PvStart::start_info_pfn, &PvStart::console_pfn})
        check_found([member](TestPlan& p) { p.partitions[1].pv.*member = 1024; }, "outside its initial mapping");
    check_found([](TestPlan& p) { p.partitions[1].pv.store_pfn = 30; }, "store page and port");
    check_found([](TestPlan& p) { p.partitions[1].store_port = 2; }, "store page and port");
    check_found([](TestPlan& p) { p.partitions[1].pv.p2m_frames = 1; }, "p2m list");
    check_found([](TestPlan& p) { p.partitions[1].pv.p2m_pfn = 1023; }, "p2m list");
    check_found([](TestPlan& p) { p.partitions[1].pv.p2m_tables_pfn = 1023; p.partitions[1].pv.p2m_tables_frames = 3; }, "p2m list");
    check_found([](TestPlan& p) { p.partitions[1].pv.ramdisk_bytes = 0; }, "ramdisk");
    check_found([](TestPlan& p) { p.partitions[1].pv.ramdisk_pfn = no_pfn; }, "ramdisk");
    check_found([](TestPlan& p) { p.partitions[1].pv.ramdisk_bytes = ~uint64_t{0}; }, "ramdisk");
    check_found([](TestPlan& p) { p.partitions[1].pv.ramdisk_pfn = 1024; }, "ramdisk");
}

TEST(PlanCheck, wrong_texts_of_a_partition_are_found)
{
    for (Table Partition::*member : {&Partition::kernel_path, &Partition::ramdisk_path, &Partition::cmdline}) {
        check_found([member](TestPlan& p) { (p.partitions[0].*member).offset = 0; }, "text is outside");
        check_found([member](TestPlan& p) { (p.partitions[0].*member).count = 30; }, "text is outside");
    }
}

TEST(PlanCheck, wrong_windows_are_found)
{
    check_found([](TestPlan& p) { p.windows[1].cpu = 64; }, "out of range or out of order");
    check_found([](TestPlan& p) { p.windows[0].cpu = 2; }, "out of range or out of order");
    check_found([](TestPlan& p) { p.windows[0].partition = 2; }, "has no partition");
    check_found([](TestPlan& p) { p.windows[0].length_us = 0; }, "is empty");
}

TEST(PlanCheck, wrong_symbols_are_found)
{
    check_found([](TestPlan& p) { p.symbols[1].address = 0; }, "not in order");
    check_found([](TestPlan& p) { p.symbols[1].name = sizeof(TestPlan); }, "name is outside");
    check_found([](TestPlan& p) { p.symbols[1].name = 0; }, "name is outside");
    check_found([](TestPlan& p) { p.texts.back() = 'x'; p.symbols[1].name = sizeof(TestPlan) - 1; }, "name is outside");
}

TEST_GROUP(Crc32) {};

// The check value of the CRC catalogue (CRC-32/ISO-HDLC).
TEST(Crc32, the_polynomial_is_zlibs)
{
    const std::array<uint8_t, 9> digits{'1', '2', '3', '4', '5', '6', '7', '8', '9'};
    CHECK(crc32(digits) == 0xcbf43926);
    CHECK(crc32(std::span(digits).subspan(4), crc32(std::span(digits).first(4))) == 0xcbf43926);
    CHECK(crc32({}) == 0);
}

namespace {

// "a" is a client of "b", which is the store and keeps its last 16 frames.
TestPlan plan_with_store()
{
    TestPlan plan = good_plan();
    Partition& client = plan.partitions[0];
    client.store_domain = first_service_domain;
    client.store_port = 2;
    client.store_remote_port = 8;
    client.services = 1;
    client.pv.store_pfn = 30;
    Partition& store = plan.partitions[1];
    store.type = PartitionType::service;
    store.domain = first_service_domain;
    store.memory_frames = store.max_frames = 1040;
    store.persistent_pfn = 1024;
    store.persistent_frames = 16;
    store.pv.p2m_frames = 3;
    plan.ranges[1].size_bytes = 1040 * 4096;
    return plan;
}

void check_store_found(const std::function<void(TestPlan&)>& spoil, const char* part)
{
    TestPlan plan = plan_with_store();
    spoil(plan);
    const char* found = verdict(plan);
    if (found == nullptr)
        FAIL((std::string("not found: ") + part).c_str());
    STRCMP_CONTAINS(part, found);
}

}  // namespace

TEST(PlanCheck, a_store_and_its_client_are_accepted)
{
    POINTERS_EQUAL(nullptr, verdict(plan_with_store()));
}

TEST(PlanCheck, store_ports_that_do_not_fit_are_found)
{
    check_store_found([](TestPlan& p) { p.partitions[0].store_domain = 0; }, "do not belong together");
    check_store_found([](TestPlan& p) { p.partitions[0].store_remote_port = 0; }, "do not belong together");
    check_store_found([](TestPlan& p) { p.partitions[0].store_remote_port = 4096; }, "out of range");
    check_store_found([](TestPlan& p) { p.partitions[0].store_port = 4096; }, "out of range");
    check_store_found([](TestPlan& p) { p.partitions[0].store_remote_port = 1; }, "its console's");
    check_store_found([](TestPlan& p) { p.partitions[0].store_domain = first_service_domain + 1; }, "no service");
    check_store_found([](TestPlan& p) { p.partitions[0].store_domain = 1; }, "no service");
    check_store_found([](TestPlan& p) { p.partitions[0].services = 0; }, "no client of its store");
}

TEST(PlanCheck, clients_of_services_that_are_not_there_are_found)
{
    check_store_found([](TestPlan& p) { p.partitions[0].services = 3; }, "service that the plan lacks");
    check_store_found([](TestPlan& p) { p.partitions[0].services = 0x81; }, "service that the plan lacks");
    check_store_found([](TestPlan& p) { p.partitions[1].services = 1; }, "service that the plan lacks");
}

namespace {

// The service keeps 16 frames, has 8 for devices in front of them, and gets two devices.
TestPlan plan_with_devices()
{
    TestPlan plan = plan_with_store();
    Partition& service = plan.partitions[1];
    service.memory_frames = service.max_frames = 1048;
    service.dma_pfn = 1024;
    service.dma_frames = 8;
    service.persistent_pfn = 1032;
    plan.ranges[1].size_bytes = 1048 * 4096;
    plan.header.devices = {offsetof(TestPlan, devices), 2};
    for (uint16_t i = 0; i < 2; ++i) {
        Device& device = plan.devices[i];
        device.match = i == 0 ? DeviceMatch::any : DeviceMatch::address;
        device.partition = 1;
        device.number = i;
        device.wanted = device.purpose = text_at(0, 3);
    }
    plan.devices[0].ids = {offsetof(TestPlan, ids), 2};
    return plan;
}

void check_device_found(const std::function<void(TestPlan&)>& spoil, const char* part)
{
    TestPlan plan = plan_with_devices();
    spoil(plan);
    const char* found = verdict(plan);
    if (found == nullptr)
        FAIL((std::string("not found: ") + part).c_str());
    STRCMP_CONTAINS(part, found);
}

}  // namespace

TEST(PlanCheck, devices_and_their_frames_are_accepted)
{
    POINTERS_EQUAL(nullptr, verdict(plan_with_devices()));
}

TEST(PlanCheck, frames_for_devices_that_are_used_otherwise_are_found)
{
    check_device_found([](TestPlan& p) { p.partitions[1].dma_pfn = 1025; }, "frames for devices");
    check_device_found([](TestPlan& p) { p.partitions[1].dma_frames = 9; }, "frames for devices");
    check_device_found([](TestPlan& p) { p.partitions[1].dma_pfn = ~uint64_t{0}; }, "frames for devices");
    check_device_found([](TestPlan& p) { p.partitions[1].dma_pfn = 1023; }, "frames for devices");
    check_device_found([](TestPlan& p) { p.partitions[0].dma_pfn = 1023; p.partitions[0].dma_frames = 1; }, "frames for devices");
}

TEST(PlanCheck, wrong_devices_are_found)
{
    check_device_found([](TestPlan& p) { p.devices[0].match = DeviceMatch{3}; }, "unknown way");
    check_device_found([](TestPlan& p) { p.devices[0].partition = 0; }, "no service");
    check_device_found([](TestPlan& p) { p.devices[0].partition = 2; }, "no service");
    check_device_found([](TestPlan& p) { p.devices[0].ids = {}; }, "belong together");
    check_device_found([](TestPlan& p) { p.devices[1].ids = p.devices[0].ids; }, "belong together");
    check_device_found([](TestPlan& p) { p.devices[0].ids.offset = sizeof(TestPlan); }, "ids are outside");
    check_device_found([](TestPlan& p) { p.devices[0].ids.count = max_device_ids + 1; }, "ids are outside");
    check_device_found([](TestPlan& p) { p.devices[0].wanted.offset = sizeof(TestPlan); }, "text is outside");
    check_device_found([](TestPlan& p) { p.devices[0].purpose.offset = 0; }, "text is outside");
    check_device_found([](TestPlan& p) { p.devices[1].number = 0; }, "numbered in order");
    check_device_found([](TestPlan& p) { p.header.devices.count = 0x10000; }, "outside its bounds");
}

TEST(PlanCheck, a_service_beyond_the_last_is_found)
{
    check_found([](TestPlan& p) {
        p.partitions[1].type = PartitionType::service;
        p.partitions[1].domain = first_service_domain + max_services;
    }, "domain id");
}

TEST(PlanCheck, persistent_frames_that_are_not_apart_are_found)
{
    const char* apart = "persistent frames";
    check_store_found([](TestPlan& p) { p.partitions[1].persistent_frames = 15; }, apart);
    check_store_found([](TestPlan& p) { p.partitions[1].persistent_pfn = 1041; }, apart);
    check_store_found([](TestPlan& p) { p.partitions[1].pv.mapped_end_pfn = 1025; }, apart);
    check_store_found([](TestPlan& p) {
        p.partitions[1].pv.p2m_pfn = 1022;
        p.partitions[1].pv.p2m_base = 4096;
    }, apart);
    check_store_found([](TestPlan& p) {
        p.partitions[1].pv.ramdisk_by_pfn = 1;
        p.partitions[1].pv.ramdisk_pfn = 1030;
    }, apart);
    check_store_found([](TestPlan& p) {
        p.partitions[0].segments = {};
        p.partitions[1].segments = {offsetof(TestPlan, segments), 1};
        p.segments[0] = {1023, 2, 0, 0};
    }, apart);
    check_found([](TestPlan& p) {
        p.partitions[0].persistent_pfn = 1023;
        p.partitions[0].persistent_frames = 1;
    }, apart);
}

TEST(PlanCheck, shared_memory_that_is_out_of_order_is_found)
{
    check_found([](TestPlan& p) { p.header.shared_regions.count = max_shared_regions * 1000; }, "table of the plan");
    check_found([](TestPlan& p) { p.regions[0].name.fill('x'); }, "without an end");
    check_found([](TestPlan& p) { p.regions[0].name = {}; }, "no name");
    check_found([](TestPlan& p) { p.regions[0].frames = 0; }, "size");
    check_found([](TestPlan& p) { p.regions[0].frames = max_shared_frames + 1; }, "size");
    check_found([](TestPlan& p) { p.regions[1].frames = max_shared_frames - 1; }, "size");
    check_found([](TestPlan& p) { p.regions[1].first_grant = first_shared_grant + 1; }, "port or grants");
    check_found([](TestPlan& p) { p.regions[1].port = 1; }, "port or grants");
    check_found([](TestPlan& p) { p.regions[0].members.offset = total_bytes; }, "members");
    check_found([](TestPlan& p) { p.members[1].partition = 2; }, "no partition");
    check_found([](TestPlan& p) { p.members[1].writable = 2; }, "no partition");
    check_found([](TestPlan& p) { p.members[1].partition = 0; }, "twice");
}
