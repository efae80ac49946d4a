// SPDX-License-Identifier: BSD-2-Clause
// Takes the place of platform/x86/machine/interrupts.hpp in unit tests: records what was asked for.
#pragma once

#include "core/types.hpp"

#include <mutex>
#include <vector>

namespace bulkhead::fake {

inline std::mutex pokes_mutex;                // a test may have threads as CPUs
inline std::vector<CpuNumber> pokes;          // in order
inline std::vector<Nanoseconds> timers_set;   // in order, `never` included

}  // namespace bulkhead::fake

namespace bulkhead::machine {

inline void poke(CpuNumber cpu)
{
    const std::lock_guard guard(fake::pokes_mutex);
    fake::pokes.push_back(cpu);
}
inline void set_timer(Nanoseconds deadline) { fake::timers_set.push_back(deadline); }

}  // namespace bulkhead::machine
