// SPDX-License-Identifier: BSD-2-Clause
// Free pages, as runs in the order of their addresses; each run is described at its own beginning.
// Pages are taken from the highest run that fits, so that the heap can grow into the lowest one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bulkhead {

class PagePool {
public:
    static constexpr size_t page = 4096;

    // Pages in a row that become free; not in the pool, not null.
    void add(void* start, size_t count)
    {
        if (count == 0)
            return;
        Run** at = &lowest_;
        Run* below = nullptr;
        while (*at != nullptr && static_cast<void*>(*at) < start) {
            below = *at;
            at = &below->above;
        }
        Run* run = static_cast<Run*>(start);
        run->count = count;
        run->above = *at;
        *at = run;
        free_ += count;
        join(run);
        if (below != nullptr)
            join(below);
    }

    // Null: no run is long enough.
    [[nodiscard]] void* take(size_t count)
    {
        Run** best = nullptr;
        for (Run** at = &lowest_; *at != nullptr; at = &(*at)->above)
            if ((*at)->count >= count)
                best = at;
        if (best == nullptr || count == 0)
            return nullptr;
        Run* run = *best;
        run->count -= count;
        if (run->count == 0)
            *best = run->above;
        free_ -= count;
        return reinterpret_cast<std::byte*>(run) + run->count * page;
    }

    // Takes the first pages of the run that begins at this address. False: it is not free, or shorter.
    [[nodiscard]] bool take_at(void* start, size_t count)
    {
        Run** at = &lowest_;
        while (*at != nullptr && *at != start)
            at = &(*at)->above;
        Run* run = *at;
        if (run == nullptr || run->count < count)
            return false;
        if (run->count == count) {
            *at = run->above;
        } else {
            const Run rest{run->count - count, run->above};
            *at = reinterpret_cast<Run*>(reinterpret_cast<std::byte*>(run) + count * page);
            **at = rest;
        }
        free_ -= count;
        return true;
    }

    // How many free pages follow the address in a row.
    [[nodiscard]] size_t count_at(const void* start) const
    {
        for (const Run* run = lowest_; run != nullptr; run = run->above)
            if (run == start)
                return run->count;
        return 0;
    }

    [[nodiscard]] size_t free() const { return free_; }

private:
    struct Run {
        size_t count;
        Run* above;
    };

    static void join(Run* run)
    {
        if (run->above == nullptr || reinterpret_cast<std::byte*>(run) + run->count * page !=
                                         reinterpret_cast<std::byte*>(run->above))
            return;
        run->count += run->above->count;
        run->above = run->above->above;
    }

    Run* lowest_ = nullptr;
    size_t free_ = 0;
};

}  // namespace bulkhead
