// SPDX-License-Identifier: BSD-2-Clause
#include "platform/x86/page_tables.hpp"

#include "core/boot_allocator.hpp"
#include "core/panic.hpp"
// In angle brackets, so that unit tests can put a fake first.
#include <machine/memory.hpp>

#include <cstring>

namespace bulkhead {

namespace {

constexpr unsigned entries_per_table = 512;
// Upper levels grant everything; the last one decides.
constexpr uint64_t table_bits = page_present | page_writable | page_user | page_accessed;
constexpr uint64_t leaf_bits = page_present | page_accessed | page_dirty;
constexpr unsigned top_shift = 39;

unsigned index_of(uint64_t address, unsigned shift)
{
    return static_cast<unsigned>(address >> shift) & (entries_per_table - 1);
}

Mfn frame_in(uint64_t entry) { return Mfn((entry & page_address_bits) >> page_shift); }
uint64_t entry_for(Mfn frame, uint64_t bits) { return (frame.raw() << page_shift) | bits; }
uint64_t* table_at(Mfn frame) { return machine::frame_pointer<uint64_t>(frame); }

Mfn table_full_of(uint64_t entry)
{
    const Mfn frame = boot_allocate_frame();
    uint64_t* table = table_at(frame);
    for (unsigned i = 0; i < entries_per_table; ++i)
        table[i] = entry;
    return frame;
}

}  // namespace

void CoreTables::create() { top_ = boot_allocate_frame(); }

bool CoreTables::is_shared(uint64_t entry) const
{
    const Mfn frame = frame_in(entry);
    for (unsigned i = 0; i < shared_count_; ++i)
        if (frame == shared_[i].l1 || frame == shared_[i].l2 || frame == shared_[i].l3)
            return true;
    return false;
}

uint64_t* CoreTables::entry(uint64_t address, unsigned shift)
{
    uint64_t* table = table_at(top_);
    for (unsigned level = top_shift; level > shift; level -= 9) {
        uint64_t& at = table[index_of(address, level)];
        if ((at & page_present) == 0) {
            at = entry_for(boot_allocate_frame(), table_bits);
        } else if (level != top_shift && (at & page_large) != 0) {
            panic("core page tables: %#lx is mapped by a larger page", address);
        } else if (is_shared(at)) {
            // A private copy, so that the change shows here only.
            const Mfn copy = boot_allocate_frame();
            memcpy(table_at(copy), table_at(frame_in(at)), page_size);
            at = entry_for(copy, table_bits);
        }
        table = table_at(frame_in(at));
    }
    return &table[index_of(address, shift)];
}

void CoreTables::map(uint64_t address, HostPhysical physical, uint64_t size_bytes, uint64_t bits,
                     unsigned largest_shift)
{
    uint64_t from = physical.raw();
    ASSERT(((address | from | size_bytes) & page_mask) == 0);
    while (size_bytes != 0) {
        unsigned shift = largest_shift;
        while (shift > shift_4k
               && (((address | from) & ((uint64_t{1} << shift) - 1)) != 0 || size_bytes >> shift == 0))
            shift -= 9;
        // As many in a row as this table has, until a larger page fits.
        const uint64_t bytes = uint64_t{1} << shift;
        const uint64_t larger = shift < largest_shift ? (bytes << 9) - 1 : 0;
        const uint64_t leaf = bits | leaf_bits | (shift == shift_4k ? 0 : uint64_t{page_large});
        uint64_t* at = entry(address, shift);
        unsigned left = entries_per_table - index_of(address, shift);
        do {
            ASSERT((*at & page_present) == 0);
            *at++ = from | leaf;
            address += bytes;
            from += bytes;
            size_bytes -= bytes;
        } while (--left != 0 && size_bytes >= bytes && (larger == 0 || ((address | from) & larger) != 0));
    }
}

CoreTables::Translation CoreTables::translate(uint64_t address) const
{
    const uint64_t* table = table_at(top_);
    uint64_t granted = page_writable | page_user;
    uint64_t forbidden = 0;
    for (unsigned shift = top_shift;; shift -= 9) {
        const uint64_t at = table[index_of(address, shift)];
        if ((at & page_present) == 0)
            return {0, shift, 0};
        granted &= at;
        forbidden |= at & page_no_execute;
        if (shift == shift_4k || (shift != top_shift && (at & page_large) != 0))
            return {at, shift, granted | forbidden};
        table = table_at(frame_in(at));
    }
}

void CoreTables::fill(uint64_t address, uint64_t size_bytes, Mfn frame, uint64_t bits)
{
    ASSERT(shared_count_ < regions && ((address | size_bytes) & ((uint64_t{1} << top_shift) - 1)) == 0);
    Shared& shared = shared_[shared_count_];
    shared.frame = frame;
    shared.l1 = table_full_of(entry_for(frame, bits | leaf_bits));
    shared.l2 = table_full_of(entry_for(shared.l1, table_bits));
    shared.l3 = table_full_of(entry_for(shared.l2, table_bits));
    ++shared_count_;
    for (uint64_t at = 0; at < size_bytes; at += uint64_t{1} << top_shift)
        table_at(top_)[index_of(address + at, top_shift)] = entry_for(shared.l3, table_bits);
}

bool CoreTables::is_filled(uint64_t address) const
{
    const Translation found = translate(address);
    if (found.entry == 0 || found.shift != shift_4k)
        return false;
    for (unsigned i = 0; i < shared_count_; ++i)
        if (frame_in(found.entry) == shared_[i].frame)
            return true;
    return false;
}

bool CoreTables::nothing_placed(uint64_t address, unsigned shift) const
{
    const uint64_t* table = table_at(top_);
    for (unsigned level = top_shift; level > shift_4k; level -= 9) {
        const uint64_t at = table[index_of(address, level)];
        if (is_shared(at))
            return true;
        if (level == shift || (at & page_present) == 0 || (level != top_shift && (at & page_large) != 0))
            return false;
        table = table_at(frame_in(at));
    }
    return is_filled(address);
}

void CoreTables::place(uint64_t address, Mfn frame, uint64_t bits, unsigned shift)
{
    ASSERT(nothing_placed(address, shift));
    *entry(address, shift) = entry_for(frame, bits | leaf_bits | (shift == shift_4k ? 0 : uint64_t{page_large}));
}

}  // namespace bulkhead
