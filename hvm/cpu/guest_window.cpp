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
constexpr uint64_t no_execute = uint64_t{1} << 63;
constexpr uint64_t frame_bits = 0x000F'FFFF'FFFF'F000;

constexpr uint64_t cr0_pe = 1;
constexpr uint64_t cr0_wp = uint64_t{1} << 16;
constexpr uint64_t cr0_pg = uint64_t{1} << 31;
constexpr uint64_t cr4_pae = 0x20;
constexpr uint64_t efer_lma = 0x400;

// A table of the guest: null where its memory has nothing.
std::atomic<uint64_t>* guest_table(const Partition& partition, uint64_t physical)
{
    const Mfn frame = nested_lookup(partition, physical >> page_shift);
    return frame == invalid_mfn ? nullptr : machine::frame_pointer<std::atomic<uint64_t>>(frame);
}

// Page tables of 64-bit entries: 4 levels in long mode, 3 with PAE. The walk starts below `levels`.
GuestTranslation walk(const Vcpu& vcpu, const GuestPaging& paging, uint64_t address, bool write, unsigned levels)
{
    const Partition& partition = *vcpu.partition;
    uint64_t table_address = paging.cr3 & (levels == 4 ? frame_bits : 0xFFFF'FFE0);
    const bool must_be_writable = write && ((paging.cr0 & cr0_wp) != 0 || paging.cpl == 3);
    for (unsigned level = levels; level > 0; --level) {
        std::atomic<uint64_t>* table = guest_table(partition, table_address);
        if (table == nullptr)
            return {};
        const unsigned shift = page_shift + 9 * (level - 1);
        const uint64_t within = levels == 3 && level == 3 ? (table_address & page_mask) / 8 : 0;
        std::atomic<uint64_t>& entry = table[within + ((address >> shift) & (levels == 3 && level == 3 ? 3 : 511))];
        const uint64_t value = entry.load(std::memory_order_relaxed);
        const bool top_of_pae = levels == 3 && level == 3;
        if ((value & present) == 0 || (must_be_writable && !top_of_pae && (value & writable) == 0) ||
            (paging.cpl == 3 && !top_of_pae && (value & user) == 0))
            return {};
        const bool is_leaf = level == 1 || (level <= 3 && !top_of_pae && (value & large) != 0);
        const uint64_t wanted = top_of_pae ? 0 : accessed | (is_leaf && write ? dirty : 0);
        if ((value & wanted) != wanted)
            entry.fetch_or(wanted, std::memory_order_relaxed);
        if (is_leaf) {
            const uint64_t offset_mask = (uint64_t{1} << shift) - 1;
            return {true, (value & frame_bits & ~offset_mask) | (address & offset_mask)};
        }
        table_address = value & frame_bits;
    }
    return {};
}

// Page tables of 32-bit entries, two levels.
GuestTranslation walk_32(const Vcpu& vcpu, const GuestPaging& paging, uint64_t address, bool write)
{
    const bool must_be_writable = write && ((paging.cr0 & cr0_wp) != 0 || paging.cpl == 3);
    uint64_t table_address = paging.cr3 & 0xFFFF'F000;
    for (unsigned level = 2; level > 0; --level) {
        auto* table = reinterpret_cast<std::atomic<uint32_t>*>(guest_table(*vcpu.partition, table_address));
        if (table == nullptr)
            return {};
        const unsigned shift = page_shift + 10 * (level - 1);
        std::atomic<uint32_t>& entry = table[(address >> shift) & 1023];
        const uint32_t value = entry.load(std::memory_order_relaxed);
        if ((value & present) == 0 || (must_be_writable && (value & writable) == 0) ||
            (paging.cpl == 3 && (value & user) == 0))
            return {};
        const bool is_leaf = level == 1 || (value & large) != 0;
        entry.fetch_or(static_cast<uint32_t>(accessed | (is_leaf && write ? dirty : 0)), std::memory_order_relaxed);
        if (is_leaf) {
            const uint64_t offset_mask = (uint64_t{1} << shift) - 1;
            const uint64_t high = level == 2 ? uint64_t{(value >> 13) & 0xFF} << 32 : 0;
            return {true, high | (value & 0xFFFF'F000 & ~offset_mask) | (address & offset_mask)};
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

uint64_t* window_entry(GuestWindow& window, uint64_t address)
{
    auto* table = machine::frame_pointer<uint64_t>(window.root);
    const auto slot = static_cast<uint16_t>((address >> 39) & 511);
    if (table[slot] == 0) {
        if (window.top_slots_used == window.top_slots.size())
            return nullptr;
        window.top_slots[window.top_slots_used++] = slot;
    }
    for (unsigned level = 3; level > 0 && table != nullptr; --level)
        table = next_table(window, table[(address >> (page_shift + 9 * level)) & 511]);
    return table == nullptr ? nullptr : &table[(address >> page_shift) & 511];
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

void forget_mappings(GuestWindow& window)
{
    if (window.tables_used == 0)
        return;
    auto* root = machine::frame_pointer<uint64_t>(window.root);
    for (unsigned i = 0; i < window.top_slots_used; ++i)
        root[window.top_slots[i]] = 0;
    window.top_slots_used = 0;
    window.tables_used = 0;
    machine::load_table(window.root);
}

GuestTranslation translate(const Vcpu& vcpu, uint64_t address, bool write)
{
    const GuestPaging paging = vendor().paging(vcpu);
    if ((paging.cr0 & (cr0_pe | cr0_pg)) != (cr0_pe | cr0_pg))
        return {address <= 0xFFFF'FFFF, address};
    if ((paging.efer & efer_lma) != 0)
        return walk(vcpu, paging, address, write, 4);
    if ((paging.cr4 & cr4_pae) != 0)
        return walk(vcpu, paging, address & 0xFFFF'FFFF, write, 3);
    return walk_32(vcpu, paging, address & 0xFFFF'FFFF, write);
}

unsigned fetch_code(const Vcpu& vcpu, uint64_t linear, uint8_t* to, unsigned bytes)
{
    unsigned done = 0;
    while (done < bytes) {
        const GuestTranslation place = translate(vcpu, linear + done, false);
        if (!place.valid)
            break;
        const Mfn frame = nested_lookup(*vcpu.partition, place.physical >> page_shift);
        if (frame == invalid_mfn)
            break;
        const auto offset = static_cast<unsigned>(place.physical & page_mask);
        const unsigned here = std::min(bytes - done, static_cast<unsigned>(page_size) - offset);
        std::copy_n(machine::frame_pointer<uint8_t>(frame) + offset, here, to + done);
        done += here;
    }
    return done;
}

bool map_guest_page(Vcpu& vcpu, uint64_t address, bool write)
{
    const GuestTranslation place = translate(vcpu, address, write);
    if (!place.valid)
        return false;
    const Mfn frame = nested_lookup(*vcpu.partition, place.physical >> page_shift);
    if (frame == invalid_mfn)
        return false;
    GuestWindow& window = vcpu.hardware->window;
    uint64_t* entry = window_entry(window, address);
    if (entry == nullptr) {
        // More places than there are tables for: begin anew. An access needs two pages at a time.
        forget_mappings(window);
        entry = window_entry(window, address);
    }
    const bool was_present = *entry != 0;
    *entry = address_of(frame).raw() | present | accessed | dirty | no_execute | (write ? writable : 0);
    if (was_present)
        machine::flush_page_local(GuestVirtual(address));
    return true;
}

}  // namespace bulkhead
