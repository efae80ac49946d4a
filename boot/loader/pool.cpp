// SPDX-License-Identifier: BSD-2-Clause
#include "boot/loader/pool.hpp"

#include <algorithm>

namespace bulkhead::loader {

namespace {

constexpr uint64_t page_bytes = 4096;
constexpr uint64_t reach = uint64_t{1} << 32;
constexpr uint32_t usable = 1;

constexpr uint64_t up(uint64_t value) { return (value + page_bytes - 1) & ~(page_bytes - 1); }

}  // namespace

void Pool::open(const boot::Handover& map, uint64_t lowest)
{
    begin_ = end_ = 0;
    for (uint32_t i = 0; i < map.range_count; ++i) {
        const boot::HandoverRange& range = map.ranges[i];
        if (range.type != usable || range.base >= reach)
            continue;
        const uint64_t begin = up(std::max(range.base, lowest));
        const uint64_t end = std::min(range.base + std::min(range.size_bytes, reach), reach) & ~(page_bytes - 1);
        if (begin < end && end - begin > end_ - begin_) {
            begin_ = begin;
            end_ = end;
        }
    }
}

uint64_t Pool::take(uint64_t bytes)
{
    bytes = up(bytes);
    if (bytes == 0 || bytes > end_ - begin_)
        return 0;
    end_ -= bytes;
    return end_;
}

}  // namespace bulkhead::loader
