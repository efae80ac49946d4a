// SPDX-License-Identifier: BSD-2-Clause
// Page tables of the core itself, made once at start: long mode, four levels. Guests' tables are
// none of its business (core/pv/).
#pragma once

#include "core/types.hpp"

#include <cstdint>

namespace bulkhead {

// Source: Intel SDM vol 3, "4-Level Paging"; AMD APM vol 2, "Long-Mode Page Translation".
enum PageBits : uint64_t {
    page_present = 1u << 0,
    page_writable = 1u << 1,
    page_user = 1u << 2,
    page_write_through = 1u << 3,
    page_cache_disable = 1u << 4,
    page_accessed = 1u << 5,
    page_dirty = 1u << 6,
    page_large = 1u << 7,           // in level 2 and 3
    page_global = 1u << 8,
    page_no_execute = uint64_t{1} << 63,
};
inline constexpr uint64_t page_address_bits = 0x000F'FFFF'FFFF'F000;

inline constexpr unsigned shift_4k = 12;
inline constexpr unsigned shift_2m = 21;
inline constexpr unsigned shift_1g = 30;

class CoreTables {
public:
    constexpr CoreTables() = default;
    // Takes a fresh frame for the top level.
    void create();
    [[nodiscard]] Mfn top() const { return top_; }

    // Maps a page-aligned range with the largest pages that fit, up to `largest_shift`. Nothing of it
    // may be mapped. `bits` without page_present; accessed and dirty are set, so that the CPU never
    // writes to these tables.
    void map(uint64_t address, HostPhysical physical, uint64_t size_bytes, uint64_t bits, unsigned largest_shift);
    // The entry for an address in the table whose entries map pages of 1 << shift bytes; the tables
    // above are made. Panics if a larger page is in the way.
    [[nodiscard]] uint64_t* entry(uint64_t address, unsigned shift);
    // What an address translates to, 0 if it is not mapped. For checks and tests.
    struct Translation {
        uint64_t entry;      // the entry that maps it, with its bits; 0: none
        unsigned shift;
        uint64_t rights;     // page_writable and page_user if every level grants them, page_no_execute if any forbids
    };
    [[nodiscard]] Translation translate(uint64_t address) const;

    // Makes a region of whole top-level slots show one frame everywhere, at a cost of three tables
    // for all of it. `place()` puts private frames over parts of it afterwards.
    void fill(uint64_t address, uint64_t size_bytes, Mfn frame, uint64_t bits);
    // Whether the address shows the frame that fill() put there.
    [[nodiscard]] bool is_filled(uint64_t address) const;
    // Replaces what fill() put there by one page of 1 << shift bytes. For 2 MiB nothing of it may be
    // placed yet.
    void place(uint64_t address, Mfn frame, uint64_t bits, unsigned shift);
    [[nodiscard]] bool nothing_placed(uint64_t address, unsigned shift) const;

private:
    [[nodiscard]] bool is_shared(uint64_t entry) const;

    static constexpr unsigned regions = 4;
    struct Shared {
        Mfn frame, l1, l2, l3;
    };
    Mfn top_{0};
    Shared shared_[regions]{};
    unsigned shared_count_{0};
};

}  // namespace bulkhead
