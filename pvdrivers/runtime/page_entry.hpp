// SPDX-License-Identifier: BSD-2-Clause
// An entry of a page table. Source: Intel SDM vol 3, "4-Level Paging"; a PV guest's own pages are
// user pages to the CPU.
#pragma once

#include "pvdrivers/runtime/layout.hpp"

namespace bulkhead {

enum class Rights : uint8_t { read, write, execute };

class PageEntry {
public:
    constexpr PageEntry() = default;
    explicit constexpr PageEntry(uint64_t bits) : bits_(bits) {}

    [[nodiscard]] static constexpr PageEntry page(Mfn frame, Rights rights)
    {
        return PageEntry(raw(frame) << layout::page_shift | present | user | accessed | bits_of(rights));
    }
    [[nodiscard]] static constexpr PageEntry table(Mfn frame)
    {
        return PageEntry(raw(frame) << layout::page_shift | present | user | accessed | writable);
    }

    [[nodiscard]] constexpr uint64_t bits() const { return bits_; }
    [[nodiscard]] constexpr bool is_present() const { return (bits_ & present) != 0; }
    [[nodiscard]] constexpr Mfn frame() const { return Mfn((bits_ & frame_mask) >> layout::page_shift); }

private:
    static constexpr uint64_t present = 1;
    static constexpr uint64_t writable = 2;
    static constexpr uint64_t user = 4;
    static constexpr uint64_t accessed = 0x20;
    static constexpr uint64_t dirty = 0x40;
    static constexpr uint64_t no_execute = uint64_t{1} << 63;
    static constexpr uint64_t frame_mask = 0x000ffffffffff000;

    static constexpr uint64_t bits_of(Rights rights)
    {
        switch (rights) {
        case Rights::read: return no_execute;
        case Rights::write: return no_execute | writable | dirty;
        case Rights::execute: break;
        }
        return 0;
    }

    uint64_t bits_ = 0;
};
static_assert(sizeof(PageEntry) == sizeof(uint64_t));

inline constexpr unsigned table_entries = 512;

// Which entry of a table of that level (1 to 4) an address uses.
[[nodiscard]] constexpr unsigned table_index(uint64_t address, unsigned level)
{
    return static_cast<unsigned>(address >> (layout::page_shift + 9 * (level - 1))) % table_entries;
}

}  // namespace bulkhead
