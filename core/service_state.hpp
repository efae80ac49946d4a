// SPDX-License-Identifier: BSD-2-Clause
// What a partition has because it is a service.
#pragma once

#include "core/types.hpp"

#include <array>
#include <atomic>
#include <cstdint>

namespace bulkhead {

// So many crashes in so long a time, and what its lives have in common is given up.
inline constexpr unsigned region_crashes = 3;
inline constexpr uint64_t region_window_ns = 10'000'000'000;

struct ServiceState {
    std::atomic<uint64_t>* clients;      // of struct bulkhead_client, by partition; null: no service
    Mfn clients_frame;
    std::array<Nanoseconds, region_crashes> crashes;   // ring of times, 0: none; home CPU
    uint32_t crash_next;
};

}  // namespace bulkhead
