// SPDX-License-Identifier: BSD-2-Clause
// What a partition has because it is a service.
#pragma once

#include "core/types.hpp"

#include <array>
#include <atomic>
#include <cstdint>

struct bulkhead_machine_page;

namespace bulkhead {

struct Partition;

// So many crashes in so long a time, and what its lives have in common is given up.
inline constexpr unsigned region_crashes = 3;
inline constexpr uint64_t region_window_ns = 10'000'000'000;

// Of a machine service (pvdrivers/abi/machine.h): the questions of its only client's vCPUs. Outlives the
// lives of both.
struct MachineService {
    Partition* client;                   // null: this is none
    bulkhead_machine_page* page;
    Mfn frame;
};

struct ServiceState {
    std::atomic<uint64_t>* clients;      // of struct bulkhead_client, by partition; null: no service
    Mfn clients_frame;
    std::array<Nanoseconds, region_crashes> crashes;   // ring of times, 0: none; home CPU
    uint32_t crash_next;
    MachineService machine;
};

}  // namespace bulkhead
