// SPDX-License-Identifier: BSD-2-Clause
// A switch to another partition and back: two partitions of one priority on one CPU that do nothing
// but give each other the CPU. The one whose command line is `measure` prints `round_trip ticks`, the
// least of many; the other never ends.
#include "framework/guest.hpp"

extern "C" {
#include <xen/sched.h>
}

namespace {

uint64_t ticks()
{
    uint32_t low;
    uint32_t high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return uint64_t{high} << 32 | low;
}

void give_turn() { hypercall<__HYPERVISOR_sched_op>(SCHEDOP_yield, 0); }

}  // namespace

GUEST_TEST(turns)
{
    const bool measures = start_info->cmd_line[0] == 'm';
    if (!measures) {
        for (;;)
            give_turn();
    }
    // Both must have been built: until then a turn comes back at once, or after a slice of building.
    for (unsigned i = 0; i < 3000; ++i)
        give_turn();
    uint64_t best = ~uint64_t{0};
    for (unsigned i = 0; i < 40; ++i) {
        const uint64_t start = ticks();
        give_turn();
        const uint64_t took = ticks() - start;
        best = took < best ? took : best;
    }
    print("round_trip %lu\n", best);
}
