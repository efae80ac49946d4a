// SPDX-License-Identifier: BSD-2-Clause
// Whether the TSCs of all CPUs agree: no CPU may ever read less than another one read before.
#pragma once

#include "core/types.hpp"

#include <atomic>
#include <cstdint>

namespace bulkhead {

class TscCheck {
public:
    // All CPUs at about the same time, for `ticks`.
    void run(uint64_t ticks);
    // The largest step back that was seen, 0 if none.
    [[nodiscard]] uint64_t warp() const { return warp_.load(std::memory_order_acquire); }

private:
    std::atomic<uint64_t> latest_{0};
    std::atomic<uint64_t> warp_{0};
};

}  // namespace bulkhead
