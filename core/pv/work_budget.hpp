// SPDX-License-Identifier: BSD-2-Clause
// A hypercall's share of work before it lets others run (core/hypercall.hpp), in about instructions.
#pragma once

#include <cstdint>

namespace bulkhead {

class WorkBudget {
public:
    static constexpr int32_t share = 20'000;

    constexpr explicit WorkBudget(int32_t instructions = share) : left_(instructions) {}
    constexpr void spend(int32_t instructions) { left_ -= instructions; }
    [[nodiscard]] constexpr bool is_spent() const { return left_ <= 0; }

private:
    int32_t left_;
};

}  // namespace bulkhead
