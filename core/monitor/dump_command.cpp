// SPDX-License-Identifier: BSD-2-Clause
// part NAME dump ADDR [LEN]: bytes of a partition's memory, as they lie.
#include "core/monitor/command.hpp"
#include "core/monitor/format.hpp"
#include "core/monitor/guest_memory.hpp"
#include "core/monitor/inspection.hpp"
#include "core/partition.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace bulkhead {

namespace {

constexpr size_t row_bytes = 16;
constexpr int rows_at_most = 2;            // a step
constexpr uint64_t default_bytes = 128;
constexpr uint64_t bytes_at_most = 64 * 1024;

void put_row(uint64_t address, const uint8_t* bytes, size_t count, TextOut& out)
{
    out.print("%016llx ", wide(address));
    for (size_t i = 0; i < row_bytes; ++i) {
        if (i % 4 == 0)
            out.put(" ");
        if (i < count)
            out.put_hexadecimal(bytes[i]);
        else
            out.put("  ");
    }
    out.put("  ");
    for (size_t i = 0; i < count; ++i) {
        const char text = bytes[i] >= 0x20 && bytes[i] < 0x7f ? static_cast<char>(bytes[i]) : '.';
        out.put_raw({&text, 1});
    }
    out.put("\n");
}

// What follows up to the end of the page cannot be read.
void put_hole(CommandRun& run, const char* problem, TextOut& out)
{
    const uint64_t last = std::min(run.end - 1, run.address | page_mask);
    out.print("%016llx to %016llx: %s\n", wide(run.address), wide(last), problem);
    run.address = last + 1;
}

bool step_dump(CommandRun& run, TextOut& out)
{
    for (int row = 0; row < rows_at_most && run.address != run.end; ++row) {
        const GuestBytes found = find_guest_bytes(run.partition->vcpus[0], run.paging, GuestVirtual(run.address));
        if (found.bytes == nullptr) {
            put_hole(run, found.problem, out);
            return run.address != run.end;
        }
        std::array<uint8_t, row_bytes> bytes;
        const uint64_t row_end = (run.address | (row_bytes - 1)) + 1;
        const size_t count = std::min({row_end - run.address, run.end - run.address, uint64_t{found.length}});
        memcpy(bytes.data(), found.bytes, count);
        put_row(run.address, bytes.data(), count, out);
        run.address += count;
    }
    return run.address != run.end;
}

// Where a hardware guest's tables begin is in its CPU while it runs.
bool step_begin(CommandRun& run, TextOut&)
{
    GuestFrame unused;
    if (take_registers(run, unused))
        run.step = step_dump;
    return true;
}

}  // namespace

void start_part_dump(CommandRun& run, const Words& words, TextOut& out)
{
    if (words.count < 4) {
        out.put("part: dump needs an address: part NAME dump ADDR [LEN]\n");
        return;
    }
    const auto address = parse_hexadecimal(words[3]);
    if (!address.has_value()) {
        out.print("part: '%.*s' is not a hexadecimal address\n", static_cast<int>(words[3].size()), words[3].data());
        return;
    }
    const auto length = words.count < 5 ? default_bytes : parse_number(words[4]);
    if (!length.has_value() || *length == 0 || *length > bytes_at_most) {
        out.print("part: '%.*s' is no length; it goes from 1 to %llu bytes\n", static_cast<int>(words[4].size()),
                  words[4].data(), wide(bytes_at_most));
        return;
    }
    run.address = *address;
    run.end = *address + std::min(*length, 0 - *address - 1);
    if (run.address == run.end) {
        out.put("part: that is the last byte of the address space, which nobody can use\n");
        return;
    }
    run.step = run.partition->hardware != nullptr ? step_begin : step_dump;
}

}  // namespace bulkhead
