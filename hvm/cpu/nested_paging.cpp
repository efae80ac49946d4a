// SPDX-License-Identifier: BSD-2-Clause
// See nested_paging.hpp. Both vendors' tables have four levels of 512 entries with the frame in bits
// 12 to 51 and bit 7 for large pages; the other bits are in VendorOperations.
#include "hvm/cpu/nested_paging.hpp"

#include "core/boot_allocator.hpp"
#include "core/frames.hpp"
#include "core/spinlock.hpp"
#include "hvm/cpu/hardware_vcpu.hpp"
#include "hvm/cpu/xapic.hpp"
#include "machine/interrupts.hpp"
#include "machine/memory.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

constexpr unsigned index_bits = 9;
constexpr unsigned top_level = 3;                       // levels 3 to 0
constexpr uint64_t large = uint64_t{1} << 7;
constexpr uint64_t frame_bits = 0x000F'FFFF'FFFF'F000;
constexpr size_t pool_tables = 16;

constexpr uint64_t pages_of(unsigned level) { return uint64_t{1} << (index_bits * level); }

uint64_t* table_at(uint64_t entry) { return machine::physical_pointer<uint64_t>(HostPhysical(entry & frame_bits)); }

uint64_t& entry_in(uint64_t* table, uint64_t gfn, unsigned level)
{
    return table[(gfn >> (index_bits * level)) & 511];
}

uint64_t leaf(Mfn frame, unsigned level)
{
    const VendorOperations& operations = vendor();
    return address_of(frame).raw() | (level == 0 ? operations.page_bits : operations.large_page_bits);
}

// Largest page that fits at gfn for a run of frames.
unsigned level_for(uint64_t gfn, FrameRun run)
{
    for (unsigned level = vendor().largest_page_level(); level > 0; --level) {
        if (((gfn | run.first.raw()) & (pages_of(level) - 1)) == 0 && run.count >= pages_of(level))
            return level;
    }
    return 0;
}

void map_at_start(uint64_t* root, uint64_t gfn, Mfn frame, unsigned at_level)
{
    uint64_t* table = root;
    for (unsigned level = top_level; level > at_level; --level) {
        uint64_t& entry = entry_in(table, gfn, level);
        if (entry == 0)
            entry = address_of(boot_allocate_frame()).raw() | vendor().table_bits;
        table = table_at(entry);
    }
    entry_in(table, gfn, at_level) = leaf(frame, at_level);
}

uint64_t gfn_of_pfn(uint64_t pfn) { return pfn < hole_first_gfn ? pfn : pfn + hole_frames; }

// Null: the pool is used up.
uint64_t* take_table(HardwarePartition& hardware, uint64_t& entry)
{
    if (hardware.pool_used == hardware.table_pool.size())
        return nullptr;
    PlacedTable& next = hardware.table_pool[hardware.pool_used++];
    next.entry = &entry;
    next.former = entry;
    uint64_t* table = machine::frame_pointer<uint64_t>(next.frame);
    machine::clear_frame(table);
    return table;
}

uint64_t entry_for(const uint64_t* table)
{
    return machine::physical_of(table).raw() | vendor().table_bits;
}

// Null: the pool is used up.
uint64_t* add_table(HardwarePartition& hardware, uint64_t& entry)
{
    uint64_t* table = take_table(hardware, entry);
    if (table != nullptr)
        std::atomic_ref(entry).store(entry_for(table), std::memory_order_release);
    return table;
}

// Replaces a large page by a table of the same pages. The table is complete before it is seen.
uint64_t* split(HardwarePartition& hardware, uint64_t& entry, unsigned level)
{
    uint64_t* table = take_table(hardware, entry);
    if (table == nullptr)
        return nullptr;
    const Mfn first = frame_of(HostPhysical(entry & frame_bits & ~((pages_of(level) << page_shift) - 1)));
    for (uint64_t i = 0; i < 512; ++i)
        table[i] = leaf(first + i * pages_of(level - 1), level - 1);
    std::atomic_ref(entry).store(entry_for(table), std::memory_order_release);
    return table;
}

uint64_t* entry_of_page(HardwarePartition& hardware, uint64_t gfn)
{
    uint64_t* table = machine::frame_pointer<uint64_t>(hardware.nested_root);
    for (unsigned level = top_level; level > 0; --level) {
        uint64_t& entry = entry_in(table, gfn, level);
        if (entry == 0)
            table = add_table(hardware, entry);
        else if ((entry & large) != 0)
            table = split(hardware, entry, level);
        else
            table = table_at(entry);
        if (table == nullptr)
            return nullptr;
    }
    return &entry_in(table, gfn, 0);
}

Mfn ram_frame(const Partition& partition, uint64_t gfn)
{
    const uint64_t pfn = pfn_of_gfn(gfn, partition.plan->memory_frames);
    return pfn == ~uint64_t{0} ? invalid_mfn : initial_frame(partition.memory, Pfn(pfn));
}

// Everybody's TLB may know the former page: their next entry flushes.
void flush_everybody(Partition& partition)
{
    // Release pairs with the acquire of who uses what it remembers of these tables.
    partition.hardware->nested_changes.fetch_add(1, std::memory_order_release);
    for (Vcpu& vcpu : partition.vcpus) {
        vcpu.hardware->flush.store(true, std::memory_order_release);
        machine::poke(vcpu.cpu);
    }
}

}  // namespace

void make_nested_tables(Partition& partition)
{
    HardwarePartition& hardware = *partition.hardware;
    hardware.nested_root = boot_allocate_frame();
    auto* root = machine::frame_pointer<uint64_t>(hardware.nested_root);
    const uint64_t frames = partition.plan->memory_frames;
    for (uint64_t pfn = 0; pfn < frames;) {
        const uint64_t gfn = gfn_of_pfn(pfn);
        const uint64_t most = pfn < hole_first_gfn ? std::min(frames, hole_first_gfn) - pfn : frames - pfn;
        const FrameRun run = initial_run(partition.memory, Pfn(pfn), most);
        const unsigned level = level_for(gfn, run);
        map_at_start(root, gfn, run.first, level);
        pfn += pages_of(level);
    }
    hardware.table_pool = boot_allocate_array<PlacedTable>(pool_tables);
    for (PlacedTable& table : hardware.table_pool)
        table.frame = boot_allocate_frame();
}

Mfn nested_lookup(const Partition& partition, uint64_t gfn) { return nested_page(partition, gfn).frame; }

NestedPage nested_page(const Partition& partition, uint64_t gfn)
{
    if (gfn >> (index_bits * (top_level + 1)) != 0)
        return {invalid_mfn, false};
    uint64_t* table = machine::frame_pointer<uint64_t>(partition.hardware->nested_root);
    for (unsigned level = top_level;; --level) {
        const uint64_t entry = std::atomic_ref(entry_in(table, gfn, level)).load(std::memory_order_acquire);
        if (entry == 0)
            return {invalid_mfn, false};
        if (level == 0 || (entry & large) != 0) {
            const uint64_t within = gfn & (pages_of(level) - 1);
            const uint64_t first = (entry & frame_bits) >> page_shift;
            return {Mfn((first & ~(pages_of(level) - 1)) + within), level != 0};
        }
        table = table_at(entry);
    }
}

void map_page_at_start(Partition& partition, uint64_t gfn, Mfn frame)
{
    map_at_start(machine::frame_pointer<uint64_t>(partition.hardware->nested_root), gfn, frame, 0);
}

Result<> nested_place(Partition& partition, uint64_t gfn, Mfn frame)
{
    if (gfn >> (vendor_physical_bits() - page_shift) != 0)
        return fail(XEN_EINVAL);
    if (gfn == apic_page >> page_shift && (partition.plan->flags & plan::apic_by_page) != 0)
        return fail(XEN_EINVAL);
    uint64_t* entry = entry_of_page(*partition.hardware, gfn);
    if (entry == nullptr)
        return fail(XEN_ENOMEM);
    if (frame == invalid_mfn)
        frame = ram_frame(partition, gfn);
    const uint64_t value = frame == invalid_mfn ? 0 : leaf(frame, 0);
    std::atomic_ref(*entry).store(value, std::memory_order_release);
    flush_everybody(partition);
    return {};
}

void nested_reset(Partition& partition)
{
    HardwarePartition& hardware = *partition.hardware;
    const LockGuard guard(partition.memory.lock);
    for (uint64_t& where : hardware.shared_gfns) {
        // The tables of a page that is placed are there, so this needs none.
        if (where != 0)
            (void)nested_place(partition, where - 1, invalid_mfn);
        where = 0;
    }
    // In reverse, so that a table goes before the one that it stands in.
    while (hardware.pool_used != 0) {
        const PlacedTable& last = hardware.table_pool[--hardware.pool_used];
        std::atomic_ref(*last.entry).store(last.former, std::memory_order_release);
    }
    flush_everybody(partition);
}

}  // namespace bulkhead
