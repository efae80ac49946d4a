// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: two partitions of two vCPUs make any hypercalls, alone and in multicalls, and write
// anything to their memory, while time passes, interrupts come and lives end. After each operation every
// frame's counts equal the references that exist, no frame is of two types, every connection has two
// ends, every pin a mapping, and no lock is held; in the end nothing is.
//
// Input: choices, see hypercalls/input.hpp.
#include "hypercalls/world.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    constexpr int steps_at_most = 400;
    bulkhead::fuzz::Input input(data, size);
    bulkhead::fuzz::World world(input);
    for (int steps = 0; !input.is_empty() && steps < steps_at_most; ++steps)
        world.step();
    world.finish();
    return 0;
}
