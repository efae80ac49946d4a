// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: a guest with two vCPUs does anything with its frames, page tables, descriptor
// tables and grants, on CPUs that remember every translation they may. After each operation all counts
// equal the references that exist, no frame is writable and a table at once, and no CPU can reach what
// it must not.
//
// Input: two bytes a choice; see RandomGuest::step().
#include "core/pv/page_table.hpp"

#include "tests/unit/pv_memory/random_guest.hpp"
#include "tests/unit/pv_memory/units.hpp"

#include "core/pv/payload.cpp"
#include "core/pv/start_fill.cpp"
#include "core/pv/start_info.cpp"
#include "core/pv/start_of_day.cpp"
#include "core/pv/start_tables.cpp"

#include <cstddef>
#include <cstdint>

namespace {

struct Input {
    const uint8_t* data;
    size_t size;

    uint64_t choose(uint64_t below)
    {
        uint64_t value = 0;
        for (int i = 0; i < 2 && size != 0; ++i, --size)
            value = value << 8 | *data++;
        return value % below;
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    Input input{data, size};
    bulkhead::fake::RandomGuest guest([&](uint64_t below) { return input.choose(below); });
    while (input.size != 0) {
        const std::string broken = guest.step();
        bulkhead::fake::require(broken.empty(), broken.c_str());
    }
    return 0;
}
