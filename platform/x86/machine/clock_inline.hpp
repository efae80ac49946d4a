// SPDX-License-Identifier: BSD-2-Clause
// Included by machine/clock.hpp only.
#pragma once

#include "platform/x86/clock_math.hpp"

#include <atomic>

namespace bulkhead::machine {

inline TscTicks read_tsc()
{
    uint32_t low;
    uint32_t high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return TscTicks((uint64_t{high} << 32) | low);
}

// One of two, so that a reader on another CPU never sees half of a refinement.
extern constinit std::atomic<const ClockScale*> current_clock_scale;

// Acquire pairs with the release of whoever refined it.
inline const ClockScale& clock_scale() { return *current_clock_scale.load(std::memory_order_acquire); }

Nanoseconds time_before(const ClockScale& scale, TscTicks ticks);

inline Nanoseconds to_time(TscTicks ticks)
{
    const ClockScale& scale = clock_scale();
    // Ticks may have been read just before the rate was refined.
    if (ticks < scale.tsc_base) [[unlikely]]
        return time_before(scale, ticks);
    return scale.time_base + clock_math::nanoseconds_for(ticks - scale.tsc_base, scale.right, scale.factor);
}

inline Nanoseconds now() { return to_time(read_tsc()); }

}  // namespace bulkhead::machine
