// SPDX-License-Identifier: BSD-2-Clause
// See guest_window.hpp.
#include "hvm/cpu/guest_window.hpp"

#include "core/boot_allocator.hpp"
#include "hvm/cpu/hardware_vcpu.hpp"
#include "hvm/cpu/nested_paging.hpp"
#include "machine/core_space.hpp"
#include "machine/memory.hpp"
#include "machine/tlb.hpp"
#include "platform/x86/layout.hpp"

#include <algorithm>
#include <atomic>

namespace bulkhead {

namespace {

constexpr uint64_t present = 1;
constexpr uint64_t writable = 2;
constexpr uint64_t user = 4;
constexpr uint64_t accessed = 0x20;
constexpr uint64_t dirty = 0x40;
constexpr uint64_t large = 0x80;
constexpr unsigned large_shift = 21;
constexpr uint64_t no_execute = uint64_t{1} << 63;
constexpr uint64_t frame_bits = 0x000F'FFFF'FFFF'F000;

constexpr uint64_t cr0_pe = 1;
constexpr uint64_t cr0_wp = uint64_t{1} << 16;
constexpr uint64_t cr0_pg = uint64_t{1} << 31;
constexpr uint64_t cr4_pae = 0x20;
constexpr uint64_t efer_lma = 0x400;

// --- The guest's memory ---------------------------------------------------------------------------

// Before what is remembered is used: the nested tables may have changed.
void look_for_changes(const Partition& partition, GuestWindow& window)
{
    const uint32_t changes = partition.hardware->nested_changes.load(std::memory_order_acquire);
    if (window.known_at == changes) [[likely]]
        return;
    window.known_large = {};
    window.known_pages = {};
    window.known_code = {};
    window.known_at = changes;
}

[[gnu::noinline]] uint8_t* find_place(const Partition& partition, GuestWindow& window, uint64_t physical)
{
    constexpr uint64_t large_mask = (uint64_t{1} << large_shift) - 1;
    const uint64_t page = physical >> page_shift;
    const NestedPage found = nested_page(partition, page);
    if (found.frame == invalid_mfn)
        return nullptr;
    uint8_t* const base = machine::frame_pointer<uint8_t>(found.frame);
    if (found.large) {
        const uint64_t place = physical >> large_shift;
        window.known_large[place % window.known_large.size()]
            = {place + 1, base - (physical & large_mask & ~page_mask)};
    } else {
        window.known_pages[page % window.known_pages.size()] = {page + 1, base};
    }
    return base + (physical & page_mask);
}

// Null where the guest's memory has nothing. look_for_changes() comes before.
[[gnu::always_inline]] inline uint8_t* place_of(const Partition& partition, GuestWindow& window, uint64_t physical)
{
    const uint64_t large_place = physical >> large_shift;
    const KnownPlace& large_known = window.known_large[large_place % window.known_large.size()];
    if (large_known.tag == large_place + 1) [[likely]]
        return large_known.base + (physical & ((uint64_t{1} << large_shift) - 1));
    const uint64_t page = physical >> page_shift;
    const KnownPlace& known = window.known_pages[page % window.known_pages.size()];
    if (known.tag == page + 1)
        return known.base + (physical & page_mask);
    return find_place(partition, window, physical);
}

// Page tables of 64-bit entries: 4 levels in long mode, 3 with PAE, whose top has neither rights nor bits.
template <unsigned levels>
GuestTranslation walk(const Vcpu& vcpu, const GuestPaging& paging, uint64_t address, bool write)
{
    constexpr bool pae = levels == 3;
    GuestWindow& window = vcpu.hardware->window;
    const bool by_user = paging.cpl == 3;
    const bool must_be_writable = (paging.cr0 & cr0_wp) != 0 || by_user;
    const uint64_t needed = present | (by_user ? user : 0) | (write && must_be_writable ? writable : 0);
    uint64_t rights = ~uint64_t{0};
    uint64_t table = paging.cr3 & (pae ? 0xFFFF'FFE0 : frame_bits);
#pragma GCC unroll 4
    for (unsigned level = levels; level > 0; --level) {
        const bool top_of_pae = pae && level == levels;
        const unsigned shift = page_shift + 9 * (level - 1);
        const uint64_t index = (address >> shift) & (top_of_pae ? 3 : 511);
        uint8_t* const at = place_of(*vcpu.partition, window, table + index * 8);
        if (at == nullptr)
            return {};
        const std::atomic_ref entry(*reinterpret_cast<uint64_t*>(at));
        const uint64_t value = entry.load(std::memory_order_relaxed);
        const uint64_t wanted = top_of_pae ? present : needed;
        if ((value & wanted) != wanted)
            return {};
        const bool is_leaf = level == 1 || (level <= 3 && !top_of_pae && (value & large) != 0);
        const uint64_t marks = top_of_pae ? 0 : accessed | (is_leaf && write ? dirty : 0);
        if ((value & marks) != marks) [[unlikely]]
            entry.fetch_or(marks, std::memory_order_relaxed);
        if (!top_of_pae)
            rights &= value;
        if (is_leaf) {
            const uint64_t offset_mask = (uint64_t{1} << shift) - 1;
            const bool is_dirty = write || (value & dirty) != 0;
            return {true, is_dirty && ((rights & writable) != 0 || !must_be_writable),
                    (value & frame_bits & ~offset_mask) | (address & offset_mask)};
        }
        table = value & frame_bits;
    }
    return {};
}

// Page tables of 32-bit entries, two levels.
GuestTranslation walk_32(const Vcpu& vcpu, const GuestPaging& paging, uint64_t address, bool write)
{
    const bool must_be_writable = write && ((paging.cr0 & cr0_wp) != 0 || paging.cpl == 3);
    uint64_t table_address = paging.cr3 & 0xFFFF'F000;
    for (unsigned level = 2; level > 0; --level) {
        const unsigned shift = page_shift + 10 * (level - 1);
        const uint64_t physical = table_address + (address >> shift & 1023) * 4;
        uint8_t* const at = place_of(*vcpu.partition, vcpu.hardware->window, physical);
        if (at == nullptr)
            return {};
        const std::atomic_ref entry(*reinterpret_cast<uint32_t*>(at));
        const uint32_t value = entry.load(std::memory_order_relaxed);
        if ((value & present) == 0 || (must_be_writable && (value & writable) == 0) ||
            (paging.cpl == 3 && (value & user) == 0))
            return {};
        const bool is_leaf = level == 1 || (value & large) != 0;
        entry.fetch_or(static_cast<uint32_t>(accessed | (is_leaf && write ? dirty : 0)), std::memory_order_relaxed);
        if (is_leaf) {
            const uint64_t offset_mask = (uint64_t{1} << shift) - 1;
            const uint64_t high = level == 2 ? uint64_t{(value >> 13) & 0xFF} << 32 : 0;
            return {true, write, high | (value & 0xFFFF'F000 & ~offset_mask) | (address & offset_mask)};
        }
        table_address = value & 0xFFFF'F000;
    }
    return {};
}

// --- The core's mapping -------------------------------------------------------------------------

// The table below an entry; takes one from the pool for an empty entry. Null: none is left.
uint64_t* next_table(GuestWindow& window, uint64_t& entry)
{
    if (entry == 0) {
        if (window.tables_used == window.tables.size())
            return nullptr;
        const Mfn frame = window.tables[window.tables_used++];
        machine::clear_frame(machine::frame_pointer(frame));
        entry = address_of(frame).raw() | present | writable;
    }
    return machine::physical_pointer<uint64_t>(HostPhysical(entry & frame_bits));
}

[[gnu::noinline]] void forget_tables(GuestWindow& window)
{
    auto* root = machine::frame_pointer<uint64_t>(window.root);
    for (unsigned i = 0; i < window.top_slots_used; ++i)
        root[window.top_slots[i]] = 0;
    window.top_slots_used = 0;
    window.tables_used = 0;
    window.shown_used = 0;
    window.last_region = 0;
    machine::load_table(window.root);
}

constexpr unsigned region_shift = page_shift + 9;

// Null: there are more places than tables for them.
[[gnu::noinline]] uint64_t* find_window_entry(GuestWindow& window, uint64_t address)
{
    const uint64_t index = (address >> page_shift) & 511;
    auto* table = machine::frame_pointer<uint64_t>(window.root);
    const auto slot = static_cast<uint16_t>((address >> 39) & 511);
    if (table[slot] == 0) {
        if (window.top_slots_used == window.top_slots.size())
            return nullptr;
        window.top_slots[window.top_slots_used++] = slot;
    }
    for (unsigned level = 3; level > 0 && table != nullptr; --level)
        table = next_table(window, table[(address >> (page_shift + 9 * level)) & 511]);
    if (table == nullptr)
        return nullptr;
    window.last_region = (address >> region_shift) + 1;
    window.last_table = table;
    return &table[index];
}

[[gnu::always_inline]] inline uint64_t* window_entry(GuestWindow& window, uint64_t address)
{
    if (window.last_region == (address >> region_shift) + 1) [[likely]]
        return &window.last_table[(address >> page_shift) & 511];
    return find_window_entry(window, address);
}

}  // namespace

void make_window(GuestWindow& window)
{
    window.root = boot_allocate_frame();
    auto* root = machine::frame_pointer<uint64_t>(window.root);
    std::ranges::copy(machine::core_slots(), root + layout::core_first_slot);
    for (Mfn& frame : window.tables)
        frame = boot_allocate_frame();
}

// The pages go, the tables stay for the next ones.
void forget_mappings(GuestWindow& window)
{
    if (window.shown_used == 0)
        return;
    for (unsigned i = 0; i < window.shown_used; ++i)
        *window.shown[i] = 0;
    window.shown_used = 0;
    machine::load_table(window.root);
}

GuestTranslation translate(const Vcpu& vcpu, uint64_t address, bool write)
{
    const GuestPaging paging = vendor().paging(vcpu);
    look_for_changes(*vcpu.partition, vcpu.hardware->window);
    if ((paging.cr0 & (cr0_pe | cr0_pg)) != (cr0_pe | cr0_pg))
        return {address <= 0xFFFF'FFFF, true, address};
    if ((paging.efer & efer_lma) != 0)
        return walk<4>(vcpu, paging, address, write);
    if ((paging.cr4 & cr4_pae) != 0)
        return walk<3>(vcpu, paging, address & 0xFFFF'FFFF, write);
    return walk_32(vcpu, paging, address & 0xFFFF'FFFF, write);
}

unsigned fetch_code(const Vcpu& vcpu, uint64_t linear, uint8_t* to, unsigned bytes)
{
    GuestWindow& window = vcpu.hardware->window;
    unsigned done = 0;
    while (done < bytes) {
        const uint64_t at = linear + done;
        const GuestTranslation place = translate(vcpu, at, false);
        if (!place.valid)
            break;
        const uint8_t* const code = place_of(*vcpu.partition, window, place.physical);
        if (code == nullptr)
            break;
        const auto offset = static_cast<unsigned>(place.physical & page_mask);
        window.known_code[(at >> page_shift) % window.known_code.size()] = {(at >> page_shift) + 1, code - offset};
        const unsigned here = std::min(bytes - done, static_cast<unsigned>(page_size) - offset);
        std::copy_n(code, here, to + done);
        done += here;
    }
    return done;
}

bool map_guest_page(Vcpu& vcpu, uint64_t address, bool write)
{
    const GuestTranslation place = translate(vcpu, address, write);
    if (!place.valid)
        return false;
    GuestWindow& window = vcpu.hardware->window;
    const uint8_t* const memory = place_of(*vcpu.partition, window, place.physical & ~page_mask);
    if (memory == nullptr)
        return false;
    uint64_t* entry = window_entry(window, address);
    if (entry == nullptr || window.shown_used == window.shown.size()) {
        // Begin anew. An access needs two pages at a time.
        forget_tables(window);
        entry = find_window_entry(window, address);
    }
    const bool was_present = *entry != 0;
    *entry = machine::physical_of(memory).raw() | present | accessed | dirty | no_execute |
             (place.writable ? writable : 0);
    if (was_present)
        machine::flush_page_local(GuestVirtual(address));
    else
        window.shown[window.shown_used++] = entry;
    return true;
}

}  // namespace bulkhead
