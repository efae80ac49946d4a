// SPDX-License-Identifier: BSD-2-Clause
// Page tables of IOMMUs: every bus address is the machine's own, and only whole ranges are shown. Made at
// start, with the largest pages that fit; the format is the unit's.
#pragma once

#include "core/boot_allocator.hpp"
#include "core/pv/memory_state.hpp"
#include <machine/memory.hpp>

#include <cstdint>

namespace bulkhead {

// Format: table(next, level of next) and leaf(address, level), each an entry that is present; address_of()
// of either; largest_level: of leaves (1: 4 KiB, 2: 2 MiB, 3: 1 GiB).
template <class Format>
class IoTables {
public:
    static constexpr unsigned entry_bits = 9;

    void create(unsigned levels, unsigned largest_level)
    {
        levels_ = levels;
        largest_ = largest_level;
        top_ = boot_allocate_frame();
    }
    [[nodiscard]] Mfn top() const { return top_; }
    [[nodiscard]] unsigned levels() const { return levels_; }
    // Whether an address can be told by so many levels.
    [[nodiscard]] bool reaches(FrameRange range) const
    {
        const uint64_t end = range.first.raw() + range.count;
        return end >= range.count && end <= uint64_t{1} << (entry_bits * levels_);
    }

    void show(FrameRange range)
    {
        uint64_t at = range.first.raw();
        const uint64_t end = at + range.count;
        while (at < end) {
            const unsigned level = largest_at(at, end);
            *entry(at, level) = Format::leaf(address_of(Mfn(at)), level);
            at += uint64_t{1} << (entry_bits * (level - 1));
        }
    }

private:
    [[nodiscard]] unsigned largest_at(uint64_t at, uint64_t end) const
    {
        unsigned level = largest_;
        while (level > 1) {
            const uint64_t frames = uint64_t{1} << (entry_bits * (level - 1));
            if (at % frames == 0 && end - at >= frames)
                break;
            --level;
        }
        return level;
    }
    // Of a table of that level; tables above it are made.
    uint64_t* entry(uint64_t frame, unsigned level)
    {
        Mfn table = top_;
        for (unsigned above = levels_;; --above) {
            const uint64_t index = frame >> (entry_bits * (above - 1)) & ((1u << entry_bits) - 1);
            uint64_t* place = machine::frame_pointer<uint64_t>(table) + index;
            if (above == level)
                return place;
            if (*place == 0)
                *place = Format::table(boot_allocate_frame(), above - 1);
            table = frame_of(Format::target(*place));
        }
    }

    Mfn top_{0};
    unsigned levels_{0};
    unsigned largest_{1};
};

}  // namespace bulkhead
