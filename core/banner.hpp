// SPDX-License-Identifier: BSD-2-Clause
// What the core says about itself, the box and the partitions when it starts.
#pragma once

#include "core/boot_info.hpp"
#include "core/plan.hpp"

namespace bulkhead {

// Version and compiler: the first line after power-on.
void print_hello(const BootInfo& info);
// Plan, CPU, memory, what the CPU offers and what it leaks.
void print_machine(const BootInfo& info, const plan::Header& plan);
// Each partition with its map, or why it is left out.
void print_partitions(const plan::Header& plan);

}  // namespace bulkhead
