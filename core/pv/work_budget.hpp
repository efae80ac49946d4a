// SPDX-License-Identifier: BSD-2-Clause
// A hypercall's share of work before it lets others run (core/hypercall.hpp), in about instructions. Most of it
// is done with a partition's lock held, for which its other vCPUs wait, three of them in a row where four are busy:
// those shares and what is found out too late stay below 20,000.
#pragma once

#include <cstdint>

namespace bulkhead {

class WorkBudget {
public:
    static constexpr int32_t share = 4'000;
    static constexpr int32_t share_without_lock = 10'000;       // grants: none is held for longer than a record

    constexpr explicit WorkBudget(int32_t instructions = share) : left_(instructions) {}
    constexpr void spend(int32_t instructions) { left_ -= instructions; }
    [[nodiscard]] constexpr bool is_spent() const { return left_ <= 0; }

private:
    int32_t left_;
};

}  // namespace bulkhead
