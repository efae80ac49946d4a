// SPDX-License-Identifier: BSD-2-Clause
// What each CPU did last: a small ring of records a CPU, off until the monitor turns it on. Off, a
// trace point costs one load and one branch that is never taken.
#pragma once

#include <atomic>
#include <cstdint>

namespace bulkhead {

enum class TraceEvent : uint8_t {
    hypercall,      // a: number, b: first argument
    trap,           // a: vector and error code << 32, b: guest's rip
    vcpu_enter,     // a: domain << 16 | vcpu
    vcpu_leave,     // the same
    interrupt,      // a: vector
};

extern constinit std::atomic<bool> trace_enabled;

// Own CPU, interrupts off. Not from NMI handlers.
void trace_record(TraceEvent event, uint64_t a, uint64_t b);

[[gnu::always_inline]] inline void trace(TraceEvent event, uint64_t a, uint64_t b = 0)
{
    if (trace_enabled.load(std::memory_order_relaxed)) [[unlikely]]
        trace_record(event, a, b);
}

// Makes the rings. Start-up, after the CPUs are counted.
void init_trace();

}  // namespace bulkhead
