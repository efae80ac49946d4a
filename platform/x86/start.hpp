// SPDX-License-Identifier: BSD-2-Clause
// From BootInfo to core_main(): the order in which the machine is brought up.
#pragma once

#include "core/boot_info.hpp"

namespace bulkhead {

// On the boot CPU with start.S's temporary tables and stack. Ends in core_main().
[[noreturn]] void start_platform(BootInfo& info);

}  // namespace bulkhead
