// SPDX-License-Identifier: BSD-2-Clause
// The memory of a PV partition before its first instruction: scrubbed, filled from the plan's
// payloads, with the page tables, the frame list, start info and registers that the ABI promises.
// Source: xen/include/public/xen.h, "Start-of-day memory layout".
#pragma once

#include "core/partition.hpp"
#include "core/plan.hpp"

#include <cstdint>

namespace bulkhead {

// Start-up: where the payloads are.
void init_start_of_day(const plan::Header& header);

enum class BuildStep : uint8_t {
    more,        // call again
    done,
    failed,      // the plan's layout cannot be built: Partition::memory.build.failure says why
};

// Drops every reference and type of the former life wholesale; no frame is the guest's afterwards.
// The first call begins it. No vCPU runs, no CPU has the partition's tables loaded, and nobody else
// holds a reference to its frames.
[[nodiscard]] BuildStep reset_memory(Partition& partition);

// One slice (at most 128 KiB scrubbed, 64 KiB copied, 8 KiB unpacked, 4 KiB listed, or a share of page-table
// work), on memory that was reset or never used. When done: vCPU 0's registers and tables are as the ABI states, and
// shared_info is reset. The vCPU is not released. Home CPU, no lock held.
[[nodiscard]] BuildStep build_slice(Partition& partition);

}  // namespace bulkhead
