// SPDX-License-Identifier: BSD-2-Clause
// Takes the place of platform/x86/machine/tlb.hpp in unit tests: records every flush, stamps the CPUs
// as the real one does, and tells whoever models a TLB.
#pragma once

#include "core/types.hpp"
#include "machine/this_cpu.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

namespace bulkhead::machine {

struct CpuSet {
    uint64_t bits;
};

}  // namespace bulkhead::machine

namespace bulkhead::fake {

struct Flush {
    uint64_t cpus;                   // bit n: CPU n; 0: this one
    bool whole;
    uint64_t address;
};
inline std::vector<Flush> flushes;   // in order
inline std::vector<Mfn> loaded_tables;
inline std::atomic<uint64_t> clock_of_flushes{1};
inline std::mutex flush_mutex;       // of the vectors
// After each flush; `set` is never 0 here.
inline std::function<void(uint64_t set, bool whole, uint64_t address)> on_flush;

inline void stamp(uint64_t set, bool whole, uint64_t address)
{
    for (size_t i = 0; whole && i < max_cpus; ++i) {
        if ((set >> i & 1) != 0)
            cpus[i].flush_stamp.store(clock_of_flushes, std::memory_order_relaxed);
    }
    if (on_flush)
        on_flush(set, whole, address);
}
inline void flush(uint64_t set, bool whole, uint64_t address)
{
    {
        const std::lock_guard guard(flush_mutex);
        flushes.push_back({set, whole, address});
    }
    stamp(set != 0 ? set : uint64_t{1} << current_cpu, whole, address);
}

}  // namespace bulkhead::fake

namespace bulkhead::machine {

inline void flush_local() { fake::flush(0, true, 0); }
inline void load_table(Mfn top_level)
{
    const std::lock_guard guard(fake::flush_mutex);
    fake::loaded_tables.push_back(top_level);
    fake::stamp(uint64_t{1} << fake::current_cpu, true, 0);
}
inline void flush_page_local(GuestVirtual address) { fake::flush(0, false, address.raw()); }
inline void flush_cpus(CpuSet cpus) { fake::flush(cpus.bits, true, 0); }
inline void flush_page_cpus(CpuSet cpus, GuestVirtual address) { fake::flush(cpus.bits, false, address.raw()); }
[[nodiscard]] inline uint64_t flush_clock() { return fake::clock_of_flushes++; }

}  // namespace bulkhead::machine
