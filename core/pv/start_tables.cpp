// SPDX-License-Identifier: BSD-2-Clause
// See start_tables.hpp. The tables are plain memory here: validation follows, by the same code as for
// the guest's own.
#include "core/pv/start_tables.hpp"

#include "core/pv/page_table.hpp"
#include "machine/memory.hpp"
#include "platform/x86/layout.hpp"

#include <algorithm>
#include <span>

namespace bulkhead {

namespace {

constexpr unsigned l1_span = 21;
constexpr unsigned l2_span = 30;
constexpr unsigned l3_span = 39;
constexpr uint64_t table_bits = pte::present | pte::writable | pte::user | pte::accessed | pte::dirty;

// Frames in a row at an address, and where new tables for them come from.
struct Mapping {
    uint64_t begin;
    uint64_t end;
    uint64_t first_pfn;
    uint64_t tables_end;     // pfn behind the last table
};

constexpr uint64_t spans(const Mapping& mapping, unsigned bits)
{
    return ((mapping.end - 1) >> bits) - (mapping.begin >> bits) + 1;
}

Mapping kernel_mapping(const plan::PvStart& start)
{
    return {start.virt_base, start.virt_base + (start.mapped_end_pfn << page_shift), 0,
            start.tables_pfn + start.tables_frames};
}

Mapping list_mapping(const plan::PvStart& start)
{
    return {start.p2m_base, start.p2m_base + (start.p2m_frames << page_shift), start.p2m_pfn,
            start.p2m_tables_pfn + start.p2m_tables_frames};
}

uint64_t* page_of(const Partition& partition, uint64_t pfn)
{
    return machine::frame_pointer<uint64_t>(initial_frame(partition.memory, Pfn(pfn)));
}

// The L1 table for an address; null if the frames for tables do not suffice. The list's tables come
// from one row of frames, the kernel's from one for each level, so that L3, L2 and L1 follow in order.
uint64_t* l1_for(Partition& partition, uint64_t address, const Mapping& mapping)
{
    BuildState& build = partition.memory.build;
    uint64_t* table = page_of(partition, partition.plan->pv.tables_pfn);
    for (unsigned level = 3; level > 0; --level) {
        uint64_t& entry = table[(address >> (page_shift + 9 * level)) & (entries_per_table - 1)];
        if (entry == 0) {
            const bool from_one_row = mapping.first_pfn != 0;
            uint64_t& next = build.next_table[from_one_row ? 0 : level - 1];
            if (next >= mapping.tables_end)
                return nullptr;
            entry = pte::make(initial_frame(partition.memory, Pfn(next++)), table_bits);
        }
        table = machine::frame_pointer<uint64_t>(pte::frame(entry));
    }
    return table;
}

// Page tables may be mapped read-only only. The entries are those of the frames from `first` on.
void forbid_writes(std::span<uint64_t> entries, uint64_t first, uint64_t tables, uint64_t tables_count)
{
    const uint64_t begin = std::max(first, tables);
    const uint64_t end = std::min(first + entries.size(), tables + tables_count);
    for (uint64_t pfn = begin; pfn < end; ++pfn)
        entries[pfn - first] &= ~pte::writable;
}

bool fill_l1(Partition& partition, const Mapping& mapping, uint64_t address)
{
    const plan::PvStart& start = partition.plan->pv;
    uint64_t* table = l1_for(partition, address, mapping);
    if (table == nullptr)
        return false;
    const uint64_t end = std::min(mapping.end, (address | ((uint64_t{1} << l1_span) - 1)) + 1);
    const uint64_t first = mapping.first_pfn + ((address - mapping.begin) >> page_shift);
    const uint64_t pages = (end - address) >> page_shift;
    uint64_t* entries = &table[(address >> page_shift) & (entries_per_table - 1)];
    for (uint64_t at = 0; at < pages;) {
        const FrameRun run = initial_run(partition.memory, Pfn(first + at), pages - at);
        for (uint64_t i = 0; i < run.count; ++i)
            entries[at + i] = pte::make(run.first + i, table_bits);
        at += run.count;
    }
    forbid_writes({entries, pages}, first, start.tables_pfn, start.tables_frames);
    forbid_writes({entries, pages}, first, start.p2m_tables_pfn, start.p2m_tables_frames);
    return true;
}

bool range_ok(const Mapping& mapping)
{
    return ((mapping.begin | mapping.end) & page_mask) == 0 && mapping.begin < mapping.end
        && layout::guest_range_ok(mapping.begin, mapping.end - mapping.begin);
}

}  // namespace

const char* check_start(const Partition& partition)
{
    const plan::PvStart& start = partition.plan->pv;
    const uint64_t frames = partition.plan->memory_frames;
    const auto inside = [frames](uint64_t pfn, uint64_t count) { return pfn <= frames && count <= frames - pfn; };
    if (!inside(0, start.mapped_end_pfn) || !range_ok(kernel_mapping(start)))
        return "its initial mapping exceeds its memory or the address space";
    if (!inside(start.tables_pfn, start.tables_frames) || start.tables_frames == 0
        || !inside(start.p2m_pfn, start.p2m_frames) || !inside(start.p2m_tables_pfn, start.p2m_tables_frames))
        return "its page tables or frame list exceed its memory";
    if (start.p2m_frames < frames_for(frames * sizeof(uint64_t)))
        return "its frame list is too small for its memory";
    if (start.p2m_base != 0 && !range_ok(list_mapping(start)))
        return "its frame list has no place in the address space";
    if (!inside(start.start_info_pfn, 1) || !inside(start.console_pfn, 1) || !inside(start.stack_pfn, 1))
        return "its start pages exceed its memory";
    return nullptr;
}

void begin_start_tables(Partition& partition)
{
    const plan::PvStart& start = partition.plan->pv;
    const Mapping mapping = kernel_mapping(start);
    BuildState& build = partition.memory.build;
    build.next = mapping.begin;
    build.segment = 0;
    build.next_table[2] = start.tables_pfn + 1;
    build.next_table[1] = build.next_table[2] + spans(mapping, l3_span);
    build.next_table[0] = build.next_table[1] + spans(mapping, l2_span);
}

TablesStep next_start_table(Partition& partition)
{
    const plan::PvStart& start = partition.plan->pv;
    BuildState& build = partition.memory.build;
    const bool in_list = build.segment != 0;
    const Mapping mapping = in_list ? list_mapping(start) : kernel_mapping(start);
    if (!fill_l1(partition, mapping, build.next))
        return TablesStep::too_few;
    build.next = (build.next | ((uint64_t{1} << l1_span) - 1)) + 1;
    if (build.next - mapping.begin < mapping.end - mapping.begin)
        return TablesStep::more;
    if (in_list || start.p2m_base == 0)
        return TablesStep::done;
    build.segment = 1;
    build.next = start.p2m_base;
    build.next_table[0] = start.p2m_tables_pfn;
    return TablesStep::more;
}

Mfn start_top_level(const Partition& partition)
{
    return initial_frame(partition.memory, Pfn(partition.plan->pv.tables_pfn));
}

}  // namespace bulkhead
