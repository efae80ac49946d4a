// SPDX-License-Identifier: BSD-2-Clause
// A hypercall's share of work before it lets others run (core/hypercall.hpp), in about instructions. Most of it
// is done with a partition's lock held, for which its other vCPUs wait: a share and what is found out too late
// stay below 20,000.
#pragma once

#include <cstdint>

namespace bulkhead {

class WorkBudget {
public:
    static constexpr int32_t share = 4'000;

    constexpr explicit WorkBudget(int32_t instructions = share) : left_(instructions) {}
    constexpr void spend(int32_t instructions) { left_ -= instructions; }
    [[nodiscard]] constexpr bool is_spent() const { return left_ <= 0; }

private:
    int32_t left_;
};

}  // namespace bulkhead
