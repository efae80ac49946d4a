// SPDX-License-Identifier: BSD-2-Clause
// Takes the place of platform/x86/machine/this_cpu.hpp in unit tests: a few CPUs, and the test says
// on which one each of its threads is.
#pragma once

#include "core/cpu.hpp"

#include <cstddef>

namespace bulkhead {

namespace fake {

inline constexpr size_t max_cpus = 8;
inline Cpu cpus[max_cpus];
inline thread_local size_t current_cpu;

}  // namespace fake

inline Cpu& this_cpu() { return fake::cpus[fake::current_cpu]; }

}  // namespace bulkhead
