// SPDX-License-Identifier: BSD-2-Clause
// See ivrs.hpp.
#include "platform/x86/ivrs.hpp"

#include "platform/x86/start_only.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

using acpi_reader::Bytes;

enum BlockType : uint8_t { old_unit = 0x10, unit = 0x11, memory_of_all = 0x20, memory_of_one = 0x21, memory_of_range = 0x22 };
constexpr size_t first_block = 48;

template <class Array, class Entry>
void add(IvrsFacts& facts, Array& array, uint32_t& count, const Entry& entry)
{
    if (count == array.size())
        facts.problem = "it has more entries than fit";
    else
        array[count++] = entry;
}

// Entries have a length by their kind. 0: not known.
constexpr unsigned entry_bytes(uint8_t kind) { return kind < 64 ? 4 : kind < 128 ? 8 : 0; }

// Reads the entries of a unit's block one after the other; a range is told by two of them.
struct Entries {
    IvrsFacts& facts;
    uint8_t unit;
    uint16_t first{0};
    uint16_t alias{0};
    bool has_alias{false};

    void take(const Bytes& entry)
    {
        enum Kind : uint8_t {
            all = 1, select = 2, start = 3, end = 4, alias_select = 0x42, alias_start = 0x43, extended_select = 0x46,
            extended_start = 0x47, special = 0x48,
        };
        const auto id = entry.get<uint16_t>(1);
        switch (entry.get<uint8_t>(0)) {
        case all: return add_range(0, 0xFFFF);
        case select:
        case extended_select: return add_range(id, id);
        case start:
        case extended_start: return begin(id, false, 0);
        case alias_start: return begin(id, true, entry.get<uint16_t>(5));
        case alias_select:
            add(facts, facts.aliases, facts.alias_count, IvrsAlias{id, id, entry.get<uint16_t>(5)});
            return add_range(id, id);
        case end:
            if (has_alias)
                add(facts, facts.aliases, facts.alias_count, IvrsAlias{first, id, alias});
            return add_range(first, id);
        case special: return take_special(entry);
        default: return;
        }
    }
    void begin(uint16_t id, bool with_alias, uint16_t to)
    {
        first = id;
        has_alias = with_alias;
        alias = to;
    }
    void add_range(uint16_t from, uint16_t to)
    {
        if (from <= to)
            add(facts, facts.ranges, facts.range_count, IvrsRange{unit, from, to});
        else
            facts.problem = "a range of devices in it ends before its beginning";
    }
    void take_special(const Bytes& entry)
    {
        constexpr uint8_t io_apic = 1;
        if (entry.get<uint8_t>(7) == io_apic)
            add(facts, facts.io_apics, facts.io_apic_count,
                IvrsIoApic{entry.get<uint8_t>(4), entry.get<uint16_t>(5)});
    }
};

START_ONLY void read_unit(const Bytes& block, IvrsFacts& facts)
{
    const auto base = block.get<uint64_t>(8);
    if (block.get<uint16_t>(16) != 0)
        return;                     // another segment
    if (base == 0 || base % page_size != 0 || base >> 52 != 0) {
        facts.problem = "a unit's registers are at a wrong address";
        return;
    }
    const auto number = static_cast<uint8_t>(facts.unit_count);
    add(facts, facts.units, facts.unit_count,
        IvrsUnit{HostPhysical(base), PciAddress(block.get<uint16_t>(4)), block.get<uint8_t>(1)});
    size_t at = block.get<uint8_t>(0) == old_unit ? 24 : 40;
    Entries entries{facts, number};
    while (facts.problem == nullptr && block.holds(at, 1)) {
        const unsigned length = entry_bytes(block.get<uint8_t>(at));
        if (length == 0 || !block.holds(at, length)) {
            facts.problem = "an entry of a unit has a wrong length or an unknown kind";
            return;
        }
        entries.take(block.part(at, length));
        at += length;
    }
}

START_ONLY void read_memory(const Bytes& block, IvrsFacts& facts)
{
    const auto type = block.get<uint8_t>(0);
    const auto id = block.get<uint16_t>(4);
    IvrsReserved range{id, id, block.get<uint64_t>(16), block.get<uint64_t>(24)};
    if (type == memory_of_all)
        range = {0, 0xFFFF, range.base, range.bytes};
    if (type == memory_of_range)
        range.last = block.get<uint16_t>(6);
    if (range.base % page_size != 0 || range.bytes % page_size != 0 || range.base >> 52 != 0 || range.bytes >> 52 != 0) {
        facts.problem = "memory that it reserves is no range of pages";
        return;
    }
    if (range.bytes != 0)
        add(facts, facts.reserved, facts.reserved_count, range);
}

// The newer form of units' blocks says all that the older one does.
START_ONLY uint8_t form_of_units(const Bytes& table)
{
    for (size_t at = first_block; table.holds(at, 4);) {
        const auto length = table.get<uint16_t>(at + 2);
        if (table.get<uint8_t>(at) == unit)
            return unit;
        if (length < 4)
            break;
        at += length;
    }
    return old_unit;
}

}  // namespace

START_ONLY void read_ivrs(const Bytes& table, IvrsFacts& facts)
{
    facts = {};
    const uint8_t form = form_of_units(table);
    size_t at = first_block;
    while (facts.problem == nullptr && table.holds(at, 4)) {
        const auto type = table.get<uint8_t>(at);
        const auto length = table.get<uint16_t>(at + 2);
        if (length < 4 || !table.holds(at, length)) {
            facts.problem = "a block in it has a wrong length";
            return;
        }
        const Bytes block = table.part(at, length);
        if (type == form && length >= (form == old_unit ? 24 : 40))
            read_unit(block, facts);
        else if (type >= memory_of_all && type <= memory_of_range && length >= 32)
            read_memory(block, facts);
        at += length;
    }
    if (facts.problem == nullptr && facts.unit_count == 0)
        facts.problem = "it has no unit";
}

}  // namespace bulkhead
