// SPDX-License-Identifier: BSD-2-Clause
// The hardware's part of struct Cpu: first in the CPU's data pages, offsets used by entry.S.
#pragma once

#include "core/types.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace bulkhead::machine {

// Source: Intel SDM vol 3, "64-Bit Task State Segment".
struct [[gnu::packed]] Tss {
    uint32_t reserved0;
    std::array<uint64_t, 3> rsp;
    uint64_t reserved1;
    std::array<uint64_t, 7> ist;
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map_base;
};
static_assert(sizeof(Tss) == 104);

struct CpuPart {
    Tss tss;
    uint64_t scratch;                       // RSP between SYSCALL and the switch of stacks
    std::array<uint64_t, 32> gdt;           // used while no guest's window is loaded (idle, start)
    uint32_t apic_id;
    uint64_t cr3;                           // what is loaded
    uint64_t idle_cr3;                      // the core's own top level
    Mfn gdt_frame;                          // the core's page of each guest window on this CPU
    uint64_t unused;
    bool timer_is_deadline;                 // TSC deadline mode
    uint64_t nested_depth;                  // exceptions taken in the core, for the panic code
    // TLB shoot-down: a request is waiting when requested != done.
    std::atomic<uint64_t> flush_requested;
    std::atomic<uint64_t> flush_done;
};

}  // namespace bulkhead::machine
