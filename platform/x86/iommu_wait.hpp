// SPDX-License-Identifier: BSD-2-Clause
// Waiting for an IOMMU, for a bounded time: a unit that does not answer is a unit that is not used.
#pragma once

#include <machine/clock.hpp>
#include <machine/relax.hpp>

namespace bulkhead {

// Polls until `done`. False: a hundredth of a second has passed, in which a unit has done anything.
template <class Done>
[[nodiscard]] bool iommu_wait(Done done)
{
    constexpr uint64_t patience_ns = 10'000'000;
    const Nanoseconds start = machine::now();
    while (!done()) {
        if (machine::now() - start > patience_ns)
            return done();
        machine::relax();
    }
    return true;
}

}  // namespace bulkhead
