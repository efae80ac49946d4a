// SPDX-License-Identifier: BSD-2-Clause
// How late something was, many times: the figures of one second in constant memory. Adding takes the
// same few instructions each time; nothing is sorted.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace plc {

class Jitter {
public:
    // Upper bounds of the printed histogram's bars, in microseconds; the last bar has none.
    static constexpr std::array<uint32_t, 10> bounds_us{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};
    static constexpr size_t bars = bounds_us.size() + 1;

    void add(uint64_t late_ns)
    {
        ++count_;
        total_ns_ += late_ns;
        min_ns_ = std::min(min_ns_, late_ns);
        max_ns_ = std::max(max_ns_, late_ns);
        const uint64_t us = late_ns / 1000;
        ++bins_[std::min<uint64_t>(us, bins_.size() - 1)];
        const auto above = std::upper_bound(bounds_us.begin(), bounds_us.end(), us);
        ++bars_[static_cast<size_t>(above - bounds_us.begin())];
    }

    void clear() { *this = {}; }

    [[nodiscard]] uint32_t count() const { return count_; }
    [[nodiscard]] uint64_t min_ns() const { return count_ == 0 ? 0 : min_ns_; }
    [[nodiscard]] uint64_t max_ns() const { return max_ns_; }
    [[nodiscard]] uint64_t mean_ns() const { return count_ == 0 ? 0 : total_ns_ / count_; }
    // So many of a thousand values are not above this, to the microsecond and rounded up; beyond the
    // finely counted range (4 ms) it is the maximum.
    [[nodiscard]] uint64_t per_mille_ns(uint32_t per_mille) const
    {
        const uint64_t wanted = (uint64_t{count_} * per_mille + 999) / 1000;
        uint64_t seen = 0;
        for (size_t us = 0; us + 1 < bins_.size(); ++us) {
            seen += bins_[us];
            if (seen >= wanted && wanted != 0)
                return std::min((us + 1) * 1000, max_ns_);
        }
        return max_ns_;
    }
    [[nodiscard]] const std::array<uint32_t, bars>& histogram() const { return bars_; }

private:
    uint32_t count_ = 0;
    uint64_t total_ns_ = 0;
    uint64_t min_ns_ = ~uint64_t{0};
    uint64_t max_ns_ = 0;
    std::array<uint32_t, bars> bars_{};
    std::array<uint32_t, 4097> bins_{};     // a microsecond each; the last one is for all above
};

}  // namespace plc
