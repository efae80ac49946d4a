// SPDX-License-Identifier: BSD-2-Clause
// What a hypervisor takes from a guest that computes and has no timer: ticks beyond those of a loop
// of exactly 500 million instructions, its vCPU alone on its CPU. Prints `taken N`.
#include "measure.hpp"

namespace {

// Two instructions a round.
[[gnu::noinline]] uint64_t run(uint64_t rounds)
{
    const uint64_t start = ticks();
    asm volatile("1: dec %0\n jnz 1b" : "+r"(rounds));
    return ticks() - start;
}

}  // namespace

GUEST_TEST(loop)
{
    constexpr uint64_t rounds = 250'000'000;
    constexpr uint64_t few = 100;
    // What is printed while partitions start is still on its way out for some milliseconds.
    (void)run(10'000'000);
    uint64_t around = ~uint64_t{0};          // what the loop's surroundings take
    for (unsigned i = 0; i < 20; ++i) {
        const uint64_t took = run(few) - 2 * few;
        around = took < around ? took : around;
    }
    print("taken %lu\n", run(rounds) - 2 * rounds - around);
}
