// SPDX-License-Identifier: BSD-2-Clause
// Reads plc's process image in shared memory at each ring of its bell, then tries to write to it, which
// must end it: the plan makes it a reader.
#include "pvdrivers/plc/process_image.hpp"

#include <bulkhead/console.hpp>
#include <bulkhead/shared_memory.hpp>
#include <bulkhead/traps.hpp>

#include <cstring>

namespace {

using plc::ProcessImage;

unsigned rings;

// A copy of one moment.
ProcessImage read(const ProcessImage& shared)
{
    for (;;) {
        const uint32_t before = __atomic_load_n(&shared.version, __ATOMIC_ACQUIRE);
        ProcessImage copy;
        memcpy(&copy, const_cast<const ProcessImage*>(&shared), sizeof(copy));
        std::atomic_thread_fence(std::memory_order_acquire);
        if (before % 2 == 0 && __atomic_load_n(&shared.version, __ATOMIC_RELAXED) == before)
            return copy;
    }
}

}  // namespace

int main()
{
    using namespace bulkhead;
    auto region = SharedMemory::open("process-image", {[](void*, Port) { ++rings; }, nullptr});
    if (!region)
        crash("no process image: %s", name_of(region.error()));
    auto& image = *reinterpret_cast<ProcessImage*>(region->bytes().data());
    print("reader of %zu bytes, %s\n", region->bytes().size(), region->writable() ? "writable" : "read-only");
    for (unsigned seen = 0; seen < 3;) {
        (void)wait();
        if (rings == seen)
            continue;
        seen = rings;
        const ProcessImage now = read(image);
        print("bell %u: cycle %lu at %u Hz, level %d um\n", seen, now.cycle, now.rate_hz, now.level_um);
    }
    print("now it writes\n");
    image.cycle = 0;
    return 0;
}
