// SPDX-License-Identifier: BSD-2-Clause
// A sound compiled plan, spoilt at any places, behind a right checksum: after check_plan() has said
// yes, whatever its accessors find lies inside it. Input: offset (two bytes) and value, again and again.
#include "core/plan_check.cpp"
#include "tests/unit/core/plan_fixture.hpp"

#include <cstdlib>
#include <vector>

using namespace bulkhead;
using namespace bulkhead::plan;

namespace {

volatile uint64_t sink;

// Touches every byte of what is there, so that the sanitizer sees what is not.
template <class T>
void touch(std::span<const T> items)
{
    const void* first = items.data();
    const auto* bytes = static_cast<const uint8_t*>(first);
    for (size_t i = 0; i < items.size_bytes(); ++i)
        sink = sink + bytes[i];
}

void touch(std::string_view words) { touch(std::span(words.data(), words.size() + 1)); }

void read_everything(const Header& header)
{
    touch(text(header, header.model));
    touch(text(header, header.source));
    touch(table<Window>(header, header.windows));
    for (const auto& payload : table<Payload>(header, header.payloads))
        touch(stored_bytes(header, payload));
    for (const auto& symbol : table<Symbol>(header, header.symbols))
        touch(std::string_view(name_of(header, symbol)));
    for (const auto& partition : table<Partition>(header, header.partitions)) {
        touch(name_of(partition));
        touch(text(header, partition.cmdline));
        touch(text(header, partition.kernel_path));
        touch(text(header, partition.ramdisk_path));
        touch(table<MemoryRange>(header, partition.ranges));
        for (const auto& segment : table<Segment>(header, partition.segments))
            touch(std::span(&table<Payload>(header, header.payloads)[segment.payload], 1));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    // Exactly as long as the plan, so that a byte too far is found; aligned as the core has it.
    std::vector<uint64_t> memory(bulkhead::test::total_bytes / 8);
    void* start = memory.data();
    auto* bytes = static_cast<uint8_t*>(start);
    auto* header = static_cast<Header*>(start);
    auto plan = bulkhead::test::good_plan();
    plan.header.total_bytes = memory.size() * 8;
    plan.payloads[1].stored_bytes = plan.header.total_bytes - plan.payloads[1].offset;
    std::memcpy(start, &plan, sizeof(plan));
    for (size_t i = 0; i + 3 <= size; i += 3)
        bytes[(data[i] | size_t{data[i + 1]} << 8) % sizeof(plan)] = data[i + 2];
    header->tables_crc32 = 0;
    if (header->tables_bytes >= sizeof(Header) && header->tables_bytes <= memory.size() * 8)
        header->tables_crc32 = crc32({bytes, header->tables_bytes});
    if (check_plan(header, memory.size() * 8) == nullptr)
        read_everything(*header);
    return 0;
}
