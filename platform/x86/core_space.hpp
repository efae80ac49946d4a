// SPDX-License-Identifier: BSD-2-Clause
// Making the core's address space, once, on the boot CPU with start.S's temporary tables.
#pragma once

#include "core/boot_info.hpp"
#include "core/types.hpp"
#include "platform/x86/layout.hpp"

namespace bulkhead {

void make_core_space(const BootInfo& info);
// Maps a CPU's block with fresh zeroed frames. Its stub page is written through the direct map.
struct CpuBlockFrames {
    Mfn stub;
    Mfn descriptors;    // not in the block: the core's page of the GDT
};
CpuBlockFrames make_cpu_block(CpuNumber number);
constexpr uint64_t cpu_block(CpuNumber number)
{
    return layout::cpu_blocks + number.raw() * layout::cpu_block_size;
}

}  // namespace bulkhead
