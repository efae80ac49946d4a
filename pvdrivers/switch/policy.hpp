// SPDX-License-Identifier: BSD-2-Clause
// Limits of a port. A bucket holds what may pass at once and fills with time; what passes may overdraw
// it once, so that a large frame passes a small bucket.
#pragma once

#include <bulkhead/time.hpp>

#include <algorithm>
#include <cstdint>

namespace bulkhead::net {

class TokenBucket {
public:
    TokenBucket() = default;
    // Per second; 0: no limit.
    TokenBucket(uint64_t rate, uint64_t depth)
        : rate_(static_cast<int64_t>(std::min<uint64_t>(rate, most_rate))),
          depth_(static_cast<int64_t>(std::clamp<uint64_t>(depth, 1, most_rate))), level_(depth_)
    {
    }
    [[nodiscard]] bool is_limited() const { return rate_ != 0; }

    // Whether something may pass now. `now` never goes back.
    [[nodiscard]] bool is_open(Time now)
    {
        const int64_t passed_us = std::min<int64_t>((now - filled_).count() / 1000, second_us);
        const int64_t more = rate_ * passed_us / second_us;
        // What is less than one stays for the next time.
        if (more != 0) {
            level_ = std::min(depth_, level_ + more);
            filled_ = now;
        }
        return level_ > 0;
    }
    void take(uint64_t amount) { level_ -= static_cast<int64_t>(amount); }
    // When something may pass again, if nothing may now.
    [[nodiscard]] Time opens_at() const
    {
        const int64_t wait_us = (1 - level_) * second_us / rate_ + 1;
        return filled_ + std::chrono::microseconds(std::min(wait_us, second_us));
    }

private:
    static constexpr int64_t second_us = 1'000'000;
    static constexpr uint64_t most_rate = uint64_t{1} << 40;

    int64_t rate_ = 0;
    int64_t depth_ = 1;
    int64_t level_ = 1;
    Time filled_{};
};

}  // namespace bulkhead::net
