// SPDX-License-Identifier: BSD-2-Clause
// What `trace show` reads.
#pragma once

#include "core/trace.hpp"
#include "core/types.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

namespace bulkhead {

struct TraceRecord {
    TscTicks time;
    uint64_t a;
    uint64_t b;
    TraceEvent event;
};

struct TraceRing {
    std::atomic<uint64_t> count;                // records since the start
    std::array<TraceRecord, 256> records;       // 8 KiB
};

// One a CPU; empty before init_trace().
std::span<TraceRing> trace_rings();

}  // namespace bulkhead
