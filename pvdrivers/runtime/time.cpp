// SPDX-License-Identifier: BSD-2-Clause
// Source: xen/include/public/xen.h, struct vcpu_time_info and the wall clock in struct shared_info.
#include "pvdrivers/abi/hypercall.hpp"
#include "pvdrivers/runtime/frames.hpp"
#include "pvdrivers/runtime/vcpu_local.hpp"

#include <atomic>

namespace bulkhead {

namespace {

__extension__ using Wide = unsigned __int128;

// Versions are odd while the values change.
template <class Version, class Read>
auto read_consistent(const Version& version, Read read)
{
    for (;;) {
        const Version before = std::atomic_ref(const_cast<Version&>(version)).load(std::memory_order_acquire);
        const auto value = read();
        std::atomic_thread_fence(std::memory_order_acquire);
        const Version after = std::atomic_ref(const_cast<Version&>(version)).load(std::memory_order_relaxed);
        if ((before & 1) == 0 && before == after)
            return value;
    }
}

uint64_t ticks()
{
    uint32_t low;
    uint32_t high;
    asm volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return uint64_t{high} << 32 | low;
}

}  // namespace

Time Clock::now()
{
    const vcpu_time_info_t& time = this_vcpu().info->time;
    return read_consistent(time.version, [&] {
        const uint64_t since = ticks() - time.tsc_timestamp;
        const uint64_t shifted = time.tsc_shift < 0 ? since >> -time.tsc_shift : since << time.tsc_shift;
        const auto ns = static_cast<uint64_t>(static_cast<Wide>(shifted) * time.tsc_to_system_mul >> 32);
        return Time(Duration(time.system_time + ns));
    });
}

Duration wall_clock()
{
    const Duration start = read_consistent(shared_info->wc_version, [] {
        const uint64_t seconds = uint64_t{shared_info->wc_sec_hi} << 32 | shared_info->wc_sec;
        return Duration(std::chrono::seconds(seconds)) + Duration(shared_info->wc_nsec);
    });
    return start + Clock::now().time_since_epoch();
}

// --- Timers -----------------------------------------------------------------------

namespace {

void set_hypervisor_timer(Time deadline)
{
    hypercall<__HYPERVISOR_set_timer_op>(static_cast<uint64_t>(deadline.time_since_epoch().count()));
}

}  // namespace

void Timer::start(Time deadline)
{
    if (this_vcpu().timers.insert(*this, deadline))
        set_hypervisor_timer(deadline);
}

// The hypervisor's timer stays set: one wake-up for nothing costs less than a hypercall each time.
void Timer::stop() { this_vcpu().timers.remove(*this); }

unsigned run_due_timers(VcpuLocal& vcpu)
{
    const Timer* first = vcpu.timers.first();
    const bool due = first != nullptr && first->deadline() <= Clock::now();
    const unsigned ran = due ? vcpu.timers.run_due(Clock::now) : 0;
    // Also when it came a little before its time by our clock.
    if (const Timer* next = vcpu.timers.first(); next != nullptr && (due || vcpu.timer_came))
        set_hypervisor_timer(next->deadline());
    vcpu.timer_came = false;
    return ran;
}

void sleep_until(Time deadline)
{
    while (Clock::now() < deadline)
        wait_until(deadline);
}

}  // namespace bulkhead
