// SPDX-License-Identifier: BSD-2-Clause
#include "platform/x86/tsc_check.hpp"

#include "machine/clock.hpp"

namespace bulkhead {

void TscCheck::run(uint64_t ticks)
{
    const uint64_t begin = machine::read_tsc().raw();
    uint64_t own;
    do {
        uint64_t seen = latest_.load(std::memory_order_acquire);
        // The TSC must not be read before what the other CPU has published.
        asm volatile("lfence" : : : "memory");
        own = machine::read_tsc().raw();
        if (own < seen) {
            uint64_t worst = warp_.load(std::memory_order_relaxed);
            while (seen - own > worst && !warp_.compare_exchange_weak(worst, seen - own, std::memory_order_release)) {
            }
            continue;
        }
        while (seen < own && !latest_.compare_exchange_weak(seen, own, std::memory_order_release)) {
        }
    } while (own - begin < ticks);
}

}  // namespace bulkhead
