// SPDX-License-Identifier: BSD-2-Clause
// See guest_look.hpp. Unlike the walk of guest_window.cpp it leaves no marks, remembers nothing and asks for no rights:
// it may go over another CPU's guest, whose tables may change meanwhile or be nonsense.
#include "hvm/cpu/guest_look.hpp"

#include "core/frames.hpp"
#include "core/hardware.hpp"
#include "hvm/cpu/hardware_vcpu.hpp"
#include "machine/memory.hpp"

#include <cstring>

namespace bulkhead {

namespace {

constexpr uint64_t present = 1, large = 0x80;
constexpr uint64_t no_execute = uint64_t{1} << 63;
constexpr uint64_t frame_bits = 0x000F'FFFF'FFFF'F000, frame_bits_32 = 0xFFFF'F000;
constexpr uint64_t cr0_paging = uint64_t{1} << 31 | 1;      // PG and PE
constexpr uint64_t cr4_pae = 0x20;
constexpr uint64_t lowest_4g = 0xFFFF'FFFF;

// One of the three formats of page tables.
struct Format {
    unsigned levels;
    unsigned index_bits;
    size_t entry_bytes;
    unsigned large_levels;              // the highest level that may hold pages
};
constexpr Format long_mode{4, 9, 8, 3}, pae{3, 9, 8, 2}, two_level{2, 10, 4, 2};

const Format& format_of(const GuestPaging& paging)
{
    if ((paging.efer & efer_long_mode_active) != 0)
        return long_mode;
    return (paging.cr4 & cr4_pae) != 0 ? pae : two_level;
}

Mfn own_frame(const Partition& partition, uint64_t physical)
{
    const Mfn frame = hardware_operations.frame_of_guest(partition, physical >> page_shift);
    return frame != invalid_mfn && frame_owner(frame) == partition.id ? frame : invalid_mfn;
}

GuestPlace place(const Partition& partition, uint64_t physical, bool executable)
{
    const Mfn frame = own_frame(partition, physical);
    return {frame, executable, frame == invalid_mfn ? "not its own memory" : nullptr};
}

// Of an entry of `level` that holds a page.
uint64_t page_base(const Format& format, uint64_t entry, unsigned level)
{
    if (format.entry_bytes == 8)
        return entry & frame_bits;
    const uint64_t high = level == 2 ? (entry >> 13 & 0xFF) << 32 : 0;
    return (entry & frame_bits_32) | high;
}

}  // namespace

GuestPlace look(const Partition& partition, const GuestPaging& paging, uint64_t address)
{
    if ((paging.cr0 & cr0_paging) != cr0_paging)
        return place(partition, address, true);
    const Format& format = format_of(paging);
    if (&format != &long_mode && address > lowest_4g)
        return {invalid_mfn, false, "not an address"};
    uint64_t table = paging.cr3 & (format.levels == 3 ? 0xFFFF'FFE0 : format.levels == 2 ? frame_bits_32 : frame_bits);
    uint64_t rights = 0;
    for (unsigned level = format.levels; level > 0; --level) {
        const bool short_top = format.levels == 3 && level == 3;        // four entries
        const unsigned shift = page_shift + format.index_bits * (level - 1);
        const uint64_t index = address >> shift & (short_top ? 3 : (1u << format.index_bits) - 1);
        const uint64_t at = table + index * format.entry_bytes;
        const Mfn frame = own_frame(partition, at);
        if (frame == invalid_mfn)
            return {invalid_mfn, false, "no page tables"};
        uint64_t entry = 0;
        memcpy(&entry, machine::frame_pointer<uint8_t>(frame) + (at & page_mask), format.entry_bytes);
        if ((entry & present) == 0)
            return {invalid_mfn, false, "not mapped"};
        rights |= entry;
        if (level == 1 || (level <= format.large_levels && (entry & large) != 0)) {
            const uint64_t inside = (uint64_t{1} << shift) - 1;
            return place(partition, (page_base(format, entry, level) & ~inside) | (address & inside),
                         (rights & no_execute) == 0);
        }
        table = entry & frame_bits;
    }
    return {invalid_mfn, false, "not mapped"};
}

void keep_paging(Vcpu& vcpu) { vcpu.hardware->kept_paging = vendor().paging(vcpu); }
GuestPaging kept_paging(const Vcpu& vcpu) { return vcpu.hardware->kept_paging; }

}  // namespace bulkhead
