// SPDX-License-Identifier: BSD-2-Clause
// The memory of a PV partition before its first instruction: scrubbed, filled from the plan's
// payloads, with the page tables, the frame list, start info and registers that the ABI promises.
// Source: xen/include/public/xen.h, "Start-of-day memory layout".
#pragma once

#include "core/partition.hpp"

#include <cstdint>

namespace bulkhead {

enum class BuildStep : uint8_t {
    more,        // call again
    done,
    failed,      // the plan's layout cannot be built: Partition::memory.build.failure says why
};

// Drops every reference and type of the former life wholesale. First calls to it begin it. No vCPU
// runs, no CPU has the partition's tables loaded, and nobody else holds a reference to its frames.
[[nodiscard]] BuildStep reset_memory(Partition& partition);

// One slice (at most 16 KiB scrubbed, unpacked or listed, or a share of page-table work). After
// reset_memory() is done. When done: vCPU 0's registers, tables and callbacks are as the ABI states,
// and shared_info is reset. The first vCPU is not released. Home CPU, no lock held.
[[nodiscard]] BuildStep build_slice(Partition& partition);

}  // namespace bulkhead
