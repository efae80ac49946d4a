// SPDX-License-Identifier: BSD-2-Clause
// Included by machine/tlb.hpp only.
#pragma once

#include "machine/this_cpu.hpp"

#include <atomic>

namespace bulkhead::machine {

extern constinit std::atomic<uint64_t> flush_clock_value;

// The full barrier orders the caller's change of a page table before the new value, so that a CPU
// that sees the value flushes after the change.
inline uint64_t flush_clock() { return flush_clock_value.fetch_add(1, std::memory_order_seq_cst); }

inline void load_table(Mfn top_level)
{
    const uint64_t stamp = flush_clock_value.load(std::memory_order_acquire);
    asm volatile("mov %0, %%cr3" : : "r"(address_of(top_level).raw()) : "memory");
    // Release: the flush is done when another CPU sees the stamp.
    this_cpu().flush_stamp.store(stamp, std::memory_order_release);
}

inline void flush_local()
{
    const uint64_t stamp = flush_clock_value.load(std::memory_order_acquire);
    uint64_t table;
    asm volatile("mov %%cr3, %0\n mov %0, %%cr3" : "=&r"(table) : : "memory");
    this_cpu().flush_stamp.store(stamp, std::memory_order_release);
}

inline void flush_page_local(GuestVirtual address)
{
    asm volatile("invlpg (%0)" : : "r"(address.raw()) : "memory");
}

}  // namespace bulkhead::machine
