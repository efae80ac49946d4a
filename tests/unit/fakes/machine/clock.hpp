// SPDX-License-Identifier: BSD-2-Clause
// Takes the place of platform/x86/machine/clock.hpp in unit tests: time passes when the test says so,
// or by fake::tsc_step at each look. One tick is one nanosecond.
#pragma once

#include "core/types.hpp"

#include <cstdint>

namespace bulkhead::machine {

struct ClockScale {
    TscTicks tsc_base;
    Nanoseconds time_base;
    uint32_t multiplier;
    int8_t shift;
    bool stable;
};

struct WallClock {
    uint64_t seconds;
    uint32_t nanoseconds;
};

}  // namespace bulkhead::machine

namespace bulkhead::fake {

inline uint64_t tsc = 1'000'000;
inline uint64_t tsc_step;
inline machine::ClockScale scale{TscTicks(0), Nanoseconds(0), 0x80000000u, 1, true};
inline machine::WallClock wall_clock{1'700'000'000, 0};

}  // namespace bulkhead::fake

namespace bulkhead::machine {

[[nodiscard]] inline TscTicks read_tsc()
{
    fake::tsc += fake::tsc_step;
    return TscTicks(fake::tsc);
}
[[nodiscard]] inline Nanoseconds to_time(TscTicks ticks) { return Nanoseconds(ticks.raw()); }
[[nodiscard]] inline TscTicks to_ticks(Nanoseconds time) { return TscTicks(time.raw()); }
[[nodiscard]] inline Nanoseconds now() { return to_time(read_tsc()); }
[[nodiscard]] inline const ClockScale& clock_scale() { return fake::scale; }
[[nodiscard]] inline uint64_t tsc_hz() { return 1'000'000'000; }
[[nodiscard]] inline WallClock wall_clock_base() { return fake::wall_clock; }

}  // namespace bulkhead::machine
