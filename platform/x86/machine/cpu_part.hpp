// SPDX-License-Identifier: BSD-2-Clause
// The hardware's part of struct Cpu: first in the CPU's data pages, offsets used by entry.S.
#pragma once

#include "core/types.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace bulkhead {
struct Partition;
}

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

// What one CPU asks of others' TLBs: full (no address) or one page. Stays until all have done it.
struct FlushRequest {
    uint64_t address;                       // flush_everything, or of a page
    std::atomic<uint64_t> waiting_for;      // CPUs that have not done it yet, bit n is CPU n
};
inline constexpr uint64_t flush_everything = ~uint64_t{0};

struct CpuPart {
    Tss tss;
    uint64_t scratch;                       // RSP between SYSCALL and the switch of stacks
    uint32_t apic_id;
    bool timer_is_deadline;                 // TSC deadline mode
    Mfn gdt_frame;                          // the core's page of each guest window on this CPU
    Nanoseconds timer_deadline;             // what the timer is set to; `never`: off
    uint64_t idle_cr3;                      // the core's own top level
    uint64_t core_cr3;                      // what an entry from the running PV guest goes on with
    uint64_t guest_cr3;                     // what it runs on, where the core is hidden from it
    const Partition* trained_by;            // whose vCPU had the CPU last; null: nobody's yet
    uint64_t tsc_aux;                       // what IA32_TSC_AUX holds
    uint64_t cr4_of_guest;                  // what of CR4 is the running guest's: TSD
    bool leaves_buffers;                    // no VERW: the running partition is trusted
    uint64_t spec_ctrl;                     // what IA32_SPEC_CTRL holds
    // TLB shoot-down. Written by other CPUs: on a cache line of their own.
    alignas(64) std::atomic<uint64_t> flush_from;   // CPUs whose request waits for this one
    FlushRequest flush_request;                     // this CPU's own
};

}  // namespace bulkhead::machine
