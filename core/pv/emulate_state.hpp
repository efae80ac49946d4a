// SPDX-License-Identifier: BSD-2-Clause
// What emulation keeps for a vCPU: counters of what trapped, and registers that exist only here.
// Written by the vCPU's own CPU only; others may read a count that is a moment old.
#pragma once

#include <array>
#include <cstdint>

namespace bulkhead {

enum class Trapped : uint8_t {
    rdmsr,
    rdmsr_unknown,          // refused with #GP
    wrmsr,
    wrmsr_unknown,          // refused with #GP
    control_register,
    debug_register,
    cpuid,
    rdtsc,                  // CR4.TSD
    xsetbv,
    port,
    port_refused,           // neither IOPL nor the bitmap admits it
    cli_sti,
    wbinvd,
    software_interrupt,
    page_table_store,
    page_table_store_refused,
    forbidden,              // recognised and never allowed: hlt, lgdt, swapgs, ...
    unmatched,              // no form that is known here
    count,
};

// For the monitor.
[[nodiscard]] const char* trapped_name(Trapped kind);

struct EmulationState {
    std::array<uint64_t, static_cast<unsigned>(Trapped::count)> counts;
    // In vCPU 0, for the partition: model-specific registers whose refusal has had its line in the
    // log, with bit 32 set. Any of its vCPUs, by atomic access.
    std::array<uint64_t, 8> told_msrs;
    uint64_t tsc_aux;
    // I/O breakpoints of DR7, which are emulated and never reach the CPU.
    uint64_t io_breakpoints;

    void count(Trapped kind) { ++counts[static_cast<unsigned>(kind)]; }
    [[nodiscard]] uint64_t counted(Trapped kind) const { return counts[static_cast<unsigned>(kind)]; }
};

}  // namespace bulkhead
