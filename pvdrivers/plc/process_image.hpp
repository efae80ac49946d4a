// SPDX-License-Identifier: BSD-2-Clause
// The process image: what the control loop reads from its sensors and writes to its actuators. In the
// shared memory `process-image` if the plan has it, for other partitions to look at.
#pragma once

#include <atomic>
#include <cstdint>

namespace plc {

struct ProcessImage {
    // Odd while the loop changes the values: who reads it twice, equal and even, has read one cycle.
    uint32_t version;
    uint32_t rate_hz;
    uint64_t cycle;
    uint64_t missed_deadlines;
    // Inputs.
    int32_t level_um;               // of the tank
    int32_t setpoint_um;
    // Outputs.
    uint32_t valve_per_mille;       // 0: closed
    uint32_t alarm;                 // 1: the level is far from the set point
    // Wake-up jitter of the last whole second, ns.
    uint32_t jitter_min_ns, jitter_mean_ns, jitter_per_mille_999_ns, jitter_max_ns;
};
static_assert(sizeof(ProcessImage) == 56);

// Changes the image so that readers can tell.
template <class Change>
void update(ProcessImage& image, Change change)
{
    std::atomic_ref version(image.version);
    version.store(version.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    change(image);
    version.store(version.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

}  // namespace plc
