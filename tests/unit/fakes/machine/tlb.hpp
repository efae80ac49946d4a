// SPDX-License-Identifier: BSD-2-Clause
// Takes the place of platform/x86/machine/tlb.hpp in unit tests: records every flush.
#pragma once

#include "core/types.hpp"

#include <cstdint>
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
inline uint64_t clock_of_flushes = 1;

}  // namespace bulkhead::fake

namespace bulkhead::machine {

inline void flush_local()
{
    ++fake::clock_of_flushes;
    fake::flushes.push_back({0, true, 0});
}
inline void load_table(Mfn top_level)
{
    ++fake::clock_of_flushes;
    fake::loaded_tables.push_back(top_level);
}
inline void flush_page_local(GuestVirtual address) { fake::flushes.push_back({0, false, address.raw()}); }
inline void flush_cpus(CpuSet cpus)
{
    ++fake::clock_of_flushes;
    fake::flushes.push_back({cpus.bits, true, 0});
}
inline void flush_page_cpus(CpuSet cpus, GuestVirtual address)
{
    fake::flushes.push_back({cpus.bits, false, address.raw()});
}
[[nodiscard]] inline uint64_t flush_clock() { return fake::clock_of_flushes; }

}  // namespace bulkhead::machine
