// SPDX-License-Identifier: BSD-2-Clause
// This CPU's TLB and address space, and other CPUs' by request. Core mappings are global and are
// not touched by any of these.
#pragma once

#include "core/types.hpp"

#include <cstdint>

namespace bulkhead::machine {

// Loads a top-level table; flushes every non-global entry and stamps the CPU (Cpu::flush_stamp).
inline void load_table(Mfn top_level);
// Flushes all non-global entries of this CPU and stamps it.
inline void flush_local();
// Flushes one page of this CPU.
inline void flush_page_local(GuestVirtual address);

// CPU n is bit n.
struct CpuSet {
    uint64_t bits;
};

// Flushes on the CPUs of the set (this one included if it is in it); returns when all have done it.
// May be called with locks held: CPUs that wait for a lock answer from machine::relax().
void flush_cpus(CpuSet cpus);
void flush_page_cpus(CpuSet cpus, GuestVirtual address);

// The global flush clock; each look advances it, and a full flush stamps its CPU with what the clock
// showed just before. So a stale entry of a page that was unmapped before a look at value t cannot
// exist on a CPU whose flush_stamp is greater than t.
[[nodiscard]] inline uint64_t flush_clock();

}  // namespace bulkhead::machine

#include "machine/tlb_inline.hpp"
