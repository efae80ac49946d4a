// SPDX-License-Identifier: BSD-2-Clause
// See memory_assignment.hpp. Start-up only.
#include "core/memory_assignment.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

constexpr uint64_t large_page_frames = 512;

constexpr uint64_t end_of(const FrameRange& range) { return range.first.raw() + range.count; }

}  // namespace

FreeMemory::FreeMemory(std::span<const FrameRange> ranges)
{
    for (const FrameRange& range : ranges) {
        if (range.count == 0)
            continue;
        if (count_ == max_ranges)
            dropped_ += range.count;
        else
            ranges_[count_++] = range;
    }
}

uint64_t FreeMemory::total_frames() const
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < count_; ++i)
        total += ranges_[i].count;
    return total;
}

void FreeMemory::remove(uint32_t index)
{
    for (uint32_t i = index + 1; i < count_; ++i)
        ranges_[i - 1] = ranges_[i];
    --count_;
}

bool FreeMemory::split(uint32_t index, FrameRange taken)
{
    FrameRange& range = ranges_[index];
    const FrameRange below{range.first, taken.first - range.first};
    const FrameRange above{Mfn(end_of(taken)), end_of(range) - end_of(taken)};
    if (below.count != 0 && above.count != 0) {
        if (count_ == max_ranges)
            return false;
        for (uint32_t i = count_; i > index + 1; --i)
            ranges_[i] = ranges_[i - 1];
        ++count_;
        ranges_[index] = below;
        ranges_[index + 1] = above;
    } else if (below.count != 0) {
        range = below;
    } else if (above.count != 0) {
        range = above;
    } else {
        remove(index);
    }
    return true;
}

bool FreeMemory::take_fixed(FrameRange range)
{
    for (uint32_t i = 0; i < count_; ++i) {
        if (range.first >= ranges_[i].first && end_of(range) <= end_of(ranges_[i]))
            return split(i, range);
    }
    return false;
}

// The frames stay in one piece; the base goes down to a 2 MiB boundary if the range has the room,
// and the frames above the piece stay free.
FrameRange FreeMemory::take_from_top(uint32_t index, uint64_t frames)
{
    const FrameRange range = ranges_[index];
    uint64_t first = end_of(range) - frames;
    const uint64_t aligned = first & ~(large_page_frames - 1);
    if (aligned >= range.first.raw() && count_ < max_ranges)
        first = aligned;
    const FrameRange taken{Mfn(first), frames};
    (void)split(index, taken);
    return taken;
}

uint32_t FreeMemory::take(uint64_t frames, std::array<FrameRange, plan::max_memory_ranges>& pieces)
{
    const FreeMemory before = *this;
    uint32_t count = 0;
    while (frames != 0 && count < pieces.size() && count_ != 0) {
        const auto* best = std::min_element(ranges_.begin(), ranges_.begin() + count_,
                                            [frames](const FrameRange& a, const FrameRange& b) {
                                                const bool a_fits = a.count >= frames;
                                                const bool b_fits = b.count >= frames;
                                                if (a_fits != b_fits)
                                                    return a_fits;
                                                return a_fits ? a.count < b.count : a.count > b.count;
                                            });
        const auto index = static_cast<uint32_t>(best - ranges_.begin());
        pieces[count] = take_from_top(index, std::min(frames, best->count));
        frames -= pieces[count++].count;
    }
    if (frames != 0) {
        *this = before;
        return 0;
    }
    std::sort(pieces.begin(), pieces.begin() + count,
              [](const FrameRange& a, const FrameRange& b) { return a.first < b.first; });
    return count;
}

}  // namespace bulkhead
