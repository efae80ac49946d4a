// SPDX-License-Identifier: BSD-2-Clause
// Starting the other CPUs.
#pragma once

#include "core/cpu.hpp"

#include <cstdint>

namespace bulkhead::machine {

// Starts all CPUs that ACPI lists, at the same time, and checks that their TSCs agree. Each then
// calls `entry` on its own stack, interrupts off, its timer and interrupt controller ready; it must
// not return. CPUs that do not answer are logged and left out; the others are numbered without gaps
// in ACPI's order, the boot CPU being 0. Returns cpu_count(). Boot CPU, once, before
// close_boot_allocator().
uint32_t start_cpus(void (*entry)(Cpu& cpu));

}  // namespace bulkhead::machine
