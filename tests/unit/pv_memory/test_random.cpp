// SPDX-License-Identifier: BSD-2-Clause
// Random guests by seed. BULKHEAD_SEED and BULKHEAD_STEPS choose one longer run.
#include "core/pv/page_table.hpp"

#include "harness.hpp"
#include "random_guest.hpp"
#include "units.hpp"

#include "core/pv/payload.cpp"
#include "core/pv/start_fill.cpp"
#include "core/pv/start_info.cpp"
#include "core/pv/start_of_day.cpp"
#include "core/pv/start_tables.cpp"

#include <cstdlib>
#include <random>

using namespace bulkhead;
using namespace bulkhead::fake;

TEST_GROUP(Random)
{
    static uint64_t setting(const char* name, uint64_t otherwise)
    {
        const char* text = std::getenv(name);
        return text != nullptr ? std::strtoull(text, nullptr, 0) : otherwise;
    }

    void run(uint64_t seed, uint64_t steps)
    {
        std::mt19937_64 generator(seed);
        RandomGuest guest([&](uint64_t below) { return generator() % below; });
        for (uint64_t i = 0; i < steps; ++i) {
            const std::string broken = guest.step();
            const std::string where = broken + ": seed " + std::to_string(seed) + ", step " + std::to_string(i);
            CHECK_TEXT(broken.empty(), where.c_str());
        }
    }
};

TEST(Random, NoGuestBreaksTheInvariants)
{
    const uint64_t first = setting("BULKHEAD_SEED", 1);
    const uint64_t steps = setting("BULKHEAD_STEPS", 400);
    const uint64_t seeds = std::getenv("BULKHEAD_SEED") != nullptr ? 1 : 12;
    for (uint64_t seed = first; seed < first + seeds; ++seed)
        run(seed, steps);
}
