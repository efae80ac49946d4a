// SPDX-License-Identifier: BSD-2-Clause
// The pages and registers by which a PV kernel learns where it is. Source: xen/include/public/xen.h,
// "Start-of-day memory layout" and struct start_info.
#pragma once

#include "core/partition.hpp"
#include "core/plan.hpp"

namespace bulkhead {

// On a zeroed frame.
void write_start_info(const plan::Header& header, const Partition& partition);
// Fills the page that the kernel set aside for it, if it did.
void write_hypercall_page(const Partition& partition);
// All zero but the masks: no vCPU takes events before it says so.
void reset_shared_info(const Partition& partition);
// vCPU 0 at its first instruction; its tables apart.
void set_start_registers(Partition& partition);

}  // namespace bulkhead
