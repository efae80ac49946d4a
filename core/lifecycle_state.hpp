// SPDX-License-Identifier: BSD-2-Clause
// Where a partition is between two states, and who asked for it. The partition's home CPU (that of
// its vCPU 0) moves it on; other CPUs only set requests.
#pragma once

#include "core/spinlock.hpp"
#include "core/types.hpp"

#include <array>
#include <atomic>
#include <cstdint>

namespace bulkhead {

struct Partition;

enum LifecycleRequest : uint32_t {
    lifecycle_shut_down = 1u << 0,   // shutdown_reason says why
    lifecycle_start = 1u << 1,
    lifecycle_stop = 1u << 2,
    lifecycle_restart = 1u << 3,
    lifecycle_pause = 1u << 4,
    lifecycle_resume = 1u << 5,
    lifecycle_renew = 1u << 6,
};

// In this order; all but the first two are done in slices by lifecycle_step().
enum class LifecycleStage : uint8_t {
    settled,     // nothing to do
    leaving,     // a CPU still has its page tables loaded
    devices,     // they come to rest
    events,      // closing its event channels
    grants,      // dropping what it maps of others, and its own table
    foreign,     // others still map frames of it
    memory,      // dropping its page tables and references
    build,       // scrubbing and filling memory for the next life
};

// What becomes of it once its vCPUs are off all CPUs.
enum class AfterLife : uint8_t { stop, build, preserve };

inline constexpr unsigned watchdog_timers = 2;       // as many as Xen has for a domain
// More restarts after crashes than this in so long a time, and it stays down.
inline constexpr unsigned crash_restarts_at_most = 10;
inline constexpr uint64_t crash_window_ns = 60'000'000'000;
inline constexpr uint64_t foreign_mappings_wait_ns = 100'000'000;

inline constexpr uint32_t no_shutdown = ~uint32_t{0};
inline constexpr uint32_t ended_by_operator = no_shutdown - 1;
inline constexpr uint16_t no_vcpu = 0xffff;

struct LifecycleState {
    // Two vCPUs at the start of a third, or at its vcpu_info: tried, never waited for.
    Spinlock vcpu_lock{LockRank::lifecycle};
    Spinlock watchdog_lock{LockRank::lifecycle};
    std::atomic<uint32_t> requests;                  // LifecycleRequest
    std::atomic<uint32_t> shutdown_reason{no_shutdown};   // of this life; the first one wins
    std::atomic<uint32_t> latched_reason{no_shutdown};    // SCHEDOP_shutdown_code
    std::array<Nanoseconds, watchdog_timers> watchdog{never, never};   // deadlines; watchdog_lock
    Nanoseconds watchdog_look{never};                // when the home CPU looks at them; watchdog_lock
    uint16_t crashed_vcpu{no_vcpu};                  // whose registers tell of the crash
    // Home CPU only.
    LifecycleStage stage{LifecycleStage::settled};
    AfterLife after{AfterLife::stop};
    const Partition* told_holder;                    // restarted because it kept our frames
    Nanoseconds stage_since;
    Nanoseconds paused_at;
    std::array<Nanoseconds, crash_restarts_at_most> crash_restarts;    // ring of times, 0: none
    uint32_t crash_restart_next;
};

}  // namespace bulkhead
