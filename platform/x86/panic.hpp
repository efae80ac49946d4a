// SPDX-License-Identifier: BSD-2-Clause
// What the start does for panics to come, and other ends of all CPUs.
#pragma once

#include "core/types.hpp"

namespace bulkhead {

// Takes the frames of the panic record out of use, if they are RAM. After start_boot_allocator().
void reserve_panic_record();
// From here on the record can be reached by the direct map.
void open_panic_record();
// Stops every other CPU for good, by NMI. Waits for them for a moment only.
void stop_other_cpus();

}  // namespace bulkhead
