// SPDX-License-Identifier: BSD-2-Clause
// Which machine frames each partition gets, decided once at start from the memory that the firmware
// reports and the sizes that the plan states. Pure: no hardware, no allocation.
#pragma once

#include "core/plan.hpp"
#include "core/pv/memory_state.hpp"
#include "core/types.hpp"

#include <array>
#include <cstdint>
#include <span>

namespace bulkhead {

// Free ranges in ascending order, without overlaps.
class FreeMemory {
public:
    static constexpr uint32_t max_ranges = 128;

    // Ranges beyond max_ranges are dropped; `dropped_frames` counts them.
    explicit FreeMemory(std::span<const FrameRange> ranges);

    // Takes exactly these frames. False, and nothing taken, if one of them is not free.
    [[nodiscard]] bool take_fixed(FrameRange range);
    // Takes `frames` in at most plan::max_memory_ranges pieces, in ascending order, from the top of
    // the smallest range that holds them all, else from the largest ones; bases at 2 MiB where the
    // room allows. Returns the number of pieces; 0, and nothing taken, if they do not fit.
    [[nodiscard]] uint32_t take(uint64_t frames, std::array<FrameRange, plan::max_memory_ranges>& pieces);

    [[nodiscard]] std::span<const FrameRange> ranges() const { return {ranges_.data(), count_}; }
    [[nodiscard]] uint64_t total_frames() const;
    [[nodiscard]] uint64_t dropped_frames() const { return dropped_; }

private:
    [[nodiscard]] FrameRange take_from_top(uint32_t index, uint64_t frames);
    void remove(uint32_t index);
    [[nodiscard]] bool split(uint32_t index, FrameRange taken);

    std::array<FrameRange, max_ranges> ranges_{};
    uint32_t count_ = 0;
    uint64_t dropped_ = 0;
};

}  // namespace bulkhead
