// SPDX-License-Identifier: BSD-2-Clause
// System time: nanoseconds since the core's start, from the TSC.
#pragma once

#include "core/types.hpp"

#include <cstdint>

namespace bulkhead::machine {

// ns = (((tsc - tsc_base) << shift or >> -shift) * multiplier) >> 32, as in vcpu_time_info.
// Source: xen/include/public/xen.h, struct vcpu_time_info.
struct ClockScale {
    TscTicks tsc_base;
    Nanoseconds time_base;
    uint32_t multiplier;
    int8_t shift;
    bool stable;                  // the same on every CPU, for ever (invariant, or passed the check)
    // The same for the core's own use, in fewer instructions: ((tsc - tsc_base) >> right) * factor >> 32.
    uint8_t right;
    uint64_t factor;
};

[[nodiscard]] inline TscTicks read_tsc();
[[nodiscard]] inline Nanoseconds now();
[[nodiscard]] inline Nanoseconds to_time(TscTicks ticks);
[[nodiscard]] TscTicks to_ticks(Nanoseconds time);
// Refined once, some seconds after the start: clock_changed() (core/vcpu_time.hpp) is called then.
[[nodiscard]] inline const ClockScale& clock_scale();
[[nodiscard]] uint64_t tsc_hz();
// Seconds and nanoseconds since 1970 (UTC) at system time zero, from the RTC at start.
struct WallClock {
    uint64_t seconds;
    uint32_t nanoseconds;
};
[[nodiscard]] WallClock wall_clock_base();

}  // namespace bulkhead::machine

#include "machine/clock_inline.hpp"
