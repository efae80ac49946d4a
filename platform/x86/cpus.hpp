// SPDX-License-Identifier: BSD-2-Clause
// The set of running CPUs.
#pragma once

#include "core/boot_info.hpp"
#include "core/cpu.hpp"

namespace bulkhead {

// Makes the boot CPU known as number 0, and remembers where the others may find their first code.
void init_cpus(const BootInfo& info);

}  // namespace bulkhead
