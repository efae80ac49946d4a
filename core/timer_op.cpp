// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_set_timer_op: the single-shot timer of the calling vCPU, in absolute system time.
#include "core/hypercall.hpp"
#include "core/vcpu_time.hpp"
#include "machine/clock.hpp"

namespace bulkhead {

namespace {

// Kernels whose tick counters wrap ask for times that are negative or weeks ahead, some to say "none"
// and some because work is overdue: as on Xen they hear something soon, and not so often that it
// hurts. A deadline that has just passed is overdue, and fires at once.
constexpr unsigned far_ahead_shift = 50;
constexpr uint64_t instead_ns = 100'000'000;

bool is_odd(uint64_t deadline, Nanoseconds now)
{
    const auto ahead = static_cast<int64_t>(deadline - now.raw());
    return static_cast<int64_t>(deadline) < 0 || (ahead >> far_ahead_shift) > 0;
}

}  // namespace

long do_set_timer_op(Vcpu& vcpu, HypercallArguments& arguments)
{
    const uint64_t deadline = arguments.value[0];
    if (deadline == 0) {
        set_singleshot(vcpu, never);
        return 0;
    }
    const Nanoseconds now = machine::now();
    set_singleshot(vcpu, is_odd(deadline, now) ? now + instead_ns : Nanoseconds(deadline));
    return 0;
}

}  // namespace bulkhead
