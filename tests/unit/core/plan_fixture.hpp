// SPDX-License-Identifier: BSD-2-Clause
// A sound compiled plan, built by hand as a structure so that a test can spoil any part of it.
#pragma once

#include <cstddef>
#include <cstring>

#include "core/plan.hpp"

namespace bulkhead::test {

using namespace bulkhead::plan;

// Where the parts of the test's plan lie; the two partitions come first, so they are easy to spoil.
struct TestPlan {
    Header header;
    std::array<Partition, 2> partitions;
    std::array<Payload, 2> payloads;
    std::array<Segment, 2> segments;
    std::array<MemoryRange, 2> ranges;
    std::array<Window, 2> windows;
    std::array<Symbol, 2> symbols;
    std::array<SharedRegion, 2> regions;
    std::array<SharedMember, 2> members;
    std::array<Device, 2> devices;
    std::array<DeviceId, 2> ids;
    std::array<char, 32> texts;
};
inline constexpr uint64_t total_bytes = 3 * 4096 + 100;
static_assert(sizeof(TestPlan) <= 4096);

inline PvStart good_start()
{
    PvStart pv{};
    pv.ramdisk_pfn = 40;
    pv.ramdisk_bytes = 100;
    pv.p2m_pfn = 10;
    pv.p2m_frames = 2;
    pv.start_info_pfn = 12;
    pv.store_pfn = no_pfn;
    pv.console_pfn = 13;
    pv.tables_pfn = 14;
    pv.tables_frames = 5;
    pv.stack_pfn = 19;
    pv.mapped_end_pfn = 1024;
    return pv;
}

inline Table text_at(uint32_t offset, uint32_t count) { return {static_cast<uint32_t>(offsetof(TestPlan, texts)) + offset, count}; }

inline Partition good_partition(const char* name, uint16_t domain)
{
    Partition partition{};
    std::strcpy(partition.name.data(), name);
    partition.type = PartitionType::pv;
    partition.domain = domain;
    partition.vcpus = 1;
    partition.cpu_count = 1;
    partition.grant_frames = 64;
    partition.memory_frames = 1024;
    partition.max_frames = 1024;
    partition.console_port = 1;
    for (Table* words : {&partition.kernel_path, &partition.ramdisk_path, &partition.cmdline})
        *words = text_at(0, 3);
    partition.pv = good_start();
    return partition;
}

inline TestPlan good_plan()
{
    TestPlan plan{};
    plan.header.magic = magic;
    plan.header.version = version;
    plan.header.tables_bytes = sizeof(TestPlan);
    plan.header.total_bytes = total_bytes;
    plan.header.escape = 0x1d;
    plan.header.uart_baud_div100 = 1152;
    plan.header.model = text_at(0, 3);
    plan.header.source = text_at(3, 0);
    plan.header.partitions = {offsetof(TestPlan, partitions), 2};
    plan.header.payloads = {offsetof(TestPlan, payloads), 2};
    plan.header.windows = {offsetof(TestPlan, windows), 2};
    plan.header.symbols = {offsetof(TestPlan, symbols), 2};
    plan.header.shared_regions = {offsetof(TestPlan, regions), 2};
    plan.partitions = {good_partition("a", 1), good_partition("b", 2)};
    plan.partitions[0].segments = {offsetof(TestPlan, segments), 2};
    plan.partitions[0].ranges = {offsetof(TestPlan, ranges), 1};
    plan.partitions[1].ranges = {offsetof(TestPlan, ranges) + sizeof(MemoryRange), 1};
    plan.payloads[0] = {4096, 5000, 5000, Encoding::raw, 0, {}};
    plan.payloads[1] = {3 * 4096, 100, 9000, Encoding::lz4, 0, {}};
    plan.segments = {{{20, 2, 0, 0}, {40, 3, 1, 0}}};
    plan.ranges = {{{0x40000000, 1024 * 4096}, {0x50000000, 1024 * 4096}}};
    plan.windows = {{{0, 0, 1000}, {1, 0xffff, 1000}}};
    const auto name = text_at(0, 3).offset;
    plan.symbols = {{{0x1000, 16, name}, {0x2000, 16, name}}};
    std::strcpy(plan.texts.data(), "abc");
    plan.regions[0] = {{'r'}, 2, first_shared_grant, 1, {offsetof(TestPlan, members), 2}};
    plan.regions[1] = {{'s'}, 1, first_shared_grant + 2, 2, {}};
    plan.members = {{{0, 1, 0}, {1, 0, 0}}};
    return plan;
}

}  // namespace bulkhead::test
