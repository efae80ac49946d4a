// SPDX-License-Identifier: BSD-2-Clause
// Source: xen/include/public/xen.h, "Memory management"; a page that serves as a table is mapped
// read-only everywhere before the hypervisor accepts it as one.
#include "pvdrivers/runtime/address_space.hpp"

#include "pvdrivers/abi/hypercall.hpp"
#include "pvdrivers/runtime/fatal.hpp"
#include "pvdrivers/runtime/image.hpp"

#include <algorithm>
#include <cstring>

namespace bulkhead {

namespace {

Pfn top_table;

using Table = PageEntry[table_entries];

Table& table_at(Pfn pfn) { return *static_cast<Table*>(address_of(pfn)); }

uint64_t address_of_page(uint64_t page) { return layout::linear_base + (page << layout::page_shift); }

uint64_t page_of(uint64_t address) { return (address - layout::linear_base) >> layout::page_shift; }

void check(long result, const char* what)
{
    if (result != 0)
        fatal("the hypervisor refuses %s: error %ld", what, result);
}

long extended(unsigned command, Mfn frame)
{
    mmuext_op_t operation = {};
    operation.cmd = command;
    operation.arg1.mfn = raw(frame);
    return hypercall<__HYPERVISOR_mmuext_op>(as_argument(&operation), 1, 0, DOMID_SELF);
}

long set_table_entry(PageEntry& entry, PageEntry value)
{
    if (hardware_guest != nullptr) {
        entry = value;
        return 0;
    }
    const uint64_t machine = raw(mfn_of(pfn_of(&entry))) << layout::page_shift | (as_argument(&entry) & 0xfff);
    mmu_update_t update = {machine | MMU_NORMAL_PT_UPDATE, value.bits()};
    return hypercall<__HYPERVISOR_mmu_update>(as_argument(&update), 1, 0, DOMID_SELF);
}

void protect_table(Pfn table)
{
    if (hardware_guest != nullptr)
        return;
    check(set_mapping(as_argument(address_of(table)), PageEntry::page(mfn_of(table), Rights::read)),
          "to protect a page table");
}

// The loader's tables and our own, while both exist.
struct TablePages {
    PageRange loader;
    PageRange own;
};

Rights rights_of(uint64_t page, const TablePages& tables)
{
    if (page < page_of(image::text_end()))
        return Rights::execute;
    if (page < page_of(image::rodata_end()) || tables.loader.contains(page) || tables.own.contains(page))
        return Rights::read;
    return Rights::write;
}

constexpr uint64_t tables_for(uint64_t entries) { return (entries + table_entries - 1) / table_entries; }

// The entry of that level for an address. Tables that are missing above it are made. Null: there is
// no memory for them.
PageEntry* entry_at(uint64_t address, unsigned level, TableSource source)
{
    Pfn table = top_table;
    for (unsigned at = 4; at > level; --at) {
        PageEntry& entry = table_at(table)[table_index(address, at)];
        if (!entry.is_present()) {
            void* fresh = source();
            if (fresh == nullptr)
                return nullptr;
            protect_table(pfn_of(fresh));
            check(set_table_entry(entry, PageEntry::table(mfn_of(pfn_of(fresh)))), "a page table");
        }
        table = pfn_of(entry.frame());
    }
    return &table_at(table)[table_index(address, level)];
}

// Tables of one level in a row, as linear pages: the entries of `upper` on point to them in turn.
void link(uint64_t upper, unsigned first_index, uint64_t lower, uint64_t count)
{
    for (uint64_t i = 0; i < count; ++i)
        table_at(Pfn(upper + (first_index + i) / table_entries))[(first_index + i) % table_entries] =
            PageEntry::table(mfn_of(Pfn(lower + i)));
}

}  // namespace

uint64_t take_over_tables(uint64_t free, uint64_t loader_mapped, PageRange hole, PageRange& mapped)
{
    // Order of the pages: level 4, level 3, then levels 2 and 1 in rows.
    const uint64_t pages = std::min(start_info->nr_pages, tables_for(loader_mapped) * table_entries);
    const uint64_t lowest = tables_for(pages);
    const uint64_t middle = tables_for(lowest);
    const uint64_t first_lowest = free + 2 + middle;
    const uint64_t own_end = first_lowest + lowest;
    if (own_end > loader_mapped)
        fatal("the loader has mapped %lu pages, too few for page tables", loader_mapped);
    const Pfn loader_top = pfn_of(reinterpret_cast<void*>(start_info->pt_base));
    TablePages tables{{raw(loader_top), raw(loader_top) + start_info->nr_pt_frames}, {free, own_end}};
    if (hardware_guest != nullptr)
        tables = {};            // tables are memory like any other
    top_table = Pfn(free);
    memset(address_of(top_table), 0, (own_end - free) << layout::page_shift);
    link(free, table_index(layout::linear_base, 4), free + 1, 1);
    link(free + 1, table_index(layout::linear_base, 3), free + 2, middle);
    link(free + 2, 0, first_lowest, lowest);
    for (uint64_t page = 0; page < pages; ++page)
        if (!hole.contains(page))
            table_at(Pfn(first_lowest + page / table_entries))[page % table_entries] =
                PageEntry::page(mfn_of(Pfn(page)), rights_of(page, tables));
    mapped = {0, pages};
    if (hardware_guest != nullptr) {
        hardware_guest->use_tables(raw(current_tables()) << layout::page_shift);
        return own_end;
    }
    for (uint64_t page = free; page < own_end; ++page)
        protect_table(Pfn(page));
    check(extended(MMUEXT_PIN_L4_TABLE, mfn_of(top_table)), "the page tables");
    check(extended(MMUEXT_NEW_BASEPTR, mfn_of(top_table)), "to change to the page tables");
    check(extended(MMUEXT_UNPIN_TABLE, mfn_of(loader_top)), "to give the loader's page tables up");
    for (uint64_t page = tables.loader.first; page < tables.loader.end; ++page)
        check(set_mapping(address_of_page(page), PageEntry::page(mfn_of(Pfn(page)), Rights::write)),
              "to use the loader's page tables as memory");
    return own_end;
}

uint64_t map_rest(uint64_t free, PageRange mapped, PageRange hole)
{
    static uint64_t next;
    next = free;
    const TableSource source = [] {
        return memset(address_of(Pfn(next++)), 0, size_t{1} << layout::page_shift);
    };
    // Each table is complete before it is hooked in.
    for (uint64_t page = mapped.end; page < start_info->nr_pages; page += table_entries) {
        const Pfn lowest = pfn_of(source());
        for (uint64_t i = 0; i < table_entries && page + i < start_info->nr_pages; ++i)
            if (!hole.contains(page + i))
                table_at(lowest)[i] = PageEntry::page(mfn_of(Pfn(page + i)), Rights::write);
        protect_table(lowest);
        PageEntry* above = entry_at(address_of_page(page), 2, source);
        check(set_table_entry(*above, PageEntry::table(mfn_of(lowest))), "a page table");
    }
    return next;
}

bool prepare_tables(uint64_t address, TableSource source) { return entry_at(address, 1, source) != nullptr; }

long set_mapping(uint64_t address, PageEntry entry)
{
    if (hardware_guest != nullptr) {
        *entry_at(address, 1, nullptr) = entry;
        hardware_guest->flush(address);
        return 0;
    }
    return hypercall<__HYPERVISOR_update_va_mapping>(address, entry.bits(), UVMF_INVLPG | UVMF_ALL);
}

Mfn frame_at(uint64_t address)
{
    return entry_at(address, 1, [] -> void* { return nullptr; })->frame();
}

Mfn current_tables() { return mfn_of(top_table); }

}  // namespace bulkhead
