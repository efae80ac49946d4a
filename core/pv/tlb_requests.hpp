// SPDX-License-Identifier: BSD-2-Clause
// TLB flushes that a guest asks for: of its own entries, on the CPUs that run it now. A CPU that does
// not has none, because it flushes when it loads the guest's tables.
#pragma once

#include "core/partition.hpp"
#include "core/result.hpp"
#include "machine/tlb.hpp"

namespace bulkhead {

[[nodiscard]] machine::CpuSet this_cpu_set();
[[nodiscard]] machine::CpuSet cpus_running(const Partition& partition);
// Those that run the vCPUs of a bitmap in the guest's memory; XEN_EFAULT.
[[nodiscard]] Result<machine::CpuSet> cpus_of_bitmap(const Partition& partition, GuestVirtual bitmap);

// Short ways for the common case that only this CPU is meant. An address where a guest has no
// mappings is ignored.
void flush_whole(machine::CpuSet cpus);
void flush_page(machine::CpuSet cpus, GuestVirtual address);

}  // namespace bulkhead
