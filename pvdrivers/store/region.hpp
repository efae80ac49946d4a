// SPDX-License-Identifier: BSD-2-Clause
// Access to the persistent region: an undo log that makes each operation whole or nothing, and a
// heap of cells. A crash ends the store between two instructions but loses no store before it, so
// program order is all that is needed: the old word is in the log before the new one is in place.
//
// Cells that an operation gives back are not taken again by the same operation (the free list is a
// queue), and cells that it takes need no log: undoing forgets them.
#pragma once

#include "pvdrivers/abi/store_region.h"
#include "pvdrivers/store/stop_point.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

namespace bulkhead::store {

using Reference = uint32_t;  // number of a cell; 0: none
using Error = int;           // an errno, 0: done
using Generation = uint64_t;

inline constexpr size_t max_region_bytes = 16 << 20;

struct Layout {
    uint32_t log_capacity;
    uint32_t node_buckets;
    uint32_t path_buckets;
};

// What a region of so many bytes holds beside cells.
[[nodiscard]] Layout layout_for(size_t bytes);

class Region {
public:
    // The memory is aligned to a page. Nothing is read before attach() or format().
    Region(void* memory, size_t bytes) : base_(static_cast<uint8_t*>(memory)), bytes_(bytes) {}

    // Makes an empty region; false when it is too small.
    [[nodiscard]] bool format(uint32_t clients, uint32_t hash_seed);
    // Takes a region over as a former life left it: undoes the operation that was under way. Returns
    // what is wrong with the frame of the region, null if nothing; the contents are check()'s.
    [[nodiscard]] const char* attach();
    // Makes attach() fail from now on.
    void discard() { put(header().magic, uint64_t{0}); }

    store_region& header() { return *reinterpret_cast<store_region*>(base_); }
    store_client& client(uint32_t index)
    {
        return reinterpret_cast<store_client*>(base_ + header().clients)[index];
    }
    std::span<store_client> clients() { return {&client(0), header().client_count}; }
    store_record& record(Reference cell)
    {
        return reinterpret_cast<store_record*>(base_ + header().cells)[cell];
    }
    store_text& text(Reference cell)
    {
        return reinterpret_cast<store_text*>(base_ + header().cells)[cell];
    }
    Reference& node_bucket(uint32_t hash)
    {
        return bucket(header().node_buckets, hash & (header().node_bucket_count - 1));
    }
    Reference& path_bucket(uint32_t hash)
    {
        return bucket(header().path_buckets, hash & (header().path_bucket_count - 1));
    }
    uint8_t* bytes_at(uint32_t offset) { return base_ + offset; }
    // Whether a reference may be followed at all; for check().
    [[nodiscard]] bool is_cell(Reference cell) { return cell != 0 && cell < header().cell_count; }

    // Operations: begin, changes, then commit or undo. They do not nest.
    void begin();
    void commit();
    void undo();

    // Changes a field of the region within an operation.
    void set(uint32_t& field, uint32_t value);
    template <typename T>
    void set(T& field, std::type_identity_t<T> value)
    {
        static_assert(std::is_integral_v<T> && sizeof(T) <= sizeof(uint32_t));
        if (field == value)
            return;
        remember(static_cast<uint32_t>(reinterpret_cast<uint8_t*>(&field) - base_) & ~3U);
        put(field, value);
    }
    // Writes what an undo forgets: into cells just taken, counters for the user, buffers that no
    // length covers yet.
    template <typename T>
    void put(T& field, std::type_identity_t<T> value)
    {
        stop_point();
        *const_cast<volatile T*>(&field) = value;
    }
    void put_bytes(void* to, const void* from, size_t bytes);

    // A chain of so many cells; 0 when there are none left or the log is nearly full.
    [[nodiscard]] Reference take(uint32_t cells);
    void give_back(Reference first);

    [[nodiscard]] Generation generation()
    {
        return uint64_t{header().generation_high} << 32 | header().generation_low;
    }
    Generation next_generation();

    [[nodiscard]] uint32_t log_used() { return header().log_used; }

private:
    Reference& bucket(uint32_t offset, uint32_t index)
    {
        return reinterpret_cast<Reference*>(base_ + offset)[index];
    }
    uint32_t& slot_of(uint32_t offset) { return remembered_[(offset / sizeof(uint32_t)) % remembered_.size()]; }
    void remember(uint32_t offset);
    void forget();
    [[nodiscard]] const char* check_frame();

    uint8_t* base_;
    size_t bytes_;
    uint32_t takeable_ = 0;                      // cells that were free when the operation began
    std::array<uint32_t, 64> remembered_{};      // words that this operation has in the log, by hash
};

}  // namespace bulkhead::store
