// SPDX-License-Identifier: BSD-2-Clause
// Which unit of VT-d a device is behind, and what memory is shown to it there: legacy mode, root and context
// tables, second-level tables with addresses as they are. Source: Intel Virtualization Technology for Directed
// I/O, "Translation Structure Formats".
#include "platform/x86/io_tables.hpp"
#include "platform/x86/vtd_unit.hpp"

namespace bulkhead::vtd {

namespace {

struct Format {
    static constexpr uint64_t readable_writable = 3;
    static constexpr uint64_t large = 1u << 7;
    static uint64_t table(Mfn next, unsigned) { return address_of(next).raw() | readable_writable; }
    static uint64_t leaf(HostPhysical to, unsigned level) { return to.raw() | readable_writable | (level > 1 ? large : 0); }
    static HostPhysical target(uint64_t entry) { return HostPhysical(entry & 0x000F'FFFF'FFFF'F000); }
};

// Itself, or behind a bridge of the scope.
bool is_in_scope(const DmarScope& scope, PciAddress address)
{
    const PciAddress target = dmar_target(scope, pci_read32);
    if (scope.kind == DmarScope::endpoint)
        return target == address;
    if (scope.kind != DmarScope::bridge)
        return false;
    for (unsigned depth = 0; depth < 16; ++depth) {
        if (address == target)
            return true;
        const PciFunction* bridge = pci_bridge_to(pci_bus(address));
        if (bridge == nullptr)
            return false;
        address = bridge->address;
    }
    return false;
}

unsigned largest_of(const Unit& unit)
{
    const uint64_t large = unit.capability >> 34 & 3;
    return large == 3 ? 3 : (large & 1) != 0 ? 2 : 1;
}

uint64_t* context_entry(const Unit& unit, PciAddress id)
{
    constexpr uint64_t present = 1;
    uint64_t* root = machine::frame_pointer<uint64_t>(unit.root) + pci_bus(id) * 2;
    if (*root == 0)
        *root = address_of(boot_allocate_frame()).raw() | present;
    const Mfn contexts = frame_of(HostPhysical(*root & ~page_mask));
    return machine::frame_pointer<uint64_t>(contexts) + (id.raw() & 0xFFu) * 2;
}

}  // namespace

bool is_in_scopes(uint32_t first, uint32_t count, PciAddress address)
{
    for (uint32_t i = 0; i < count; ++i)
        if (is_in_scope(dmar.scopes[first + i], address))
            return true;
    return false;
}

Unit* unit_of(PciAddress address)
{
    Unit* others = nullptr;
    for (Unit& unit : units()) {
        if (is_in_scopes(unit.facts->first_scope, unit.facts->scopes, address))
            return &unit;
        if (unit.facts->all_others)
            others = &unit;
    }
    return others;
}

unsigned levels_of(const Unit& unit)
{
    const uint64_t widths = unit.capability >> 8 & 0x1F;
    return (widths & 4) != 0 ? 4 : (widths & 2) != 0 ? 3 : 0;
}

bool show(Unit& unit, PciAddress id, FrameRange frames)
{
    constexpr uint64_t present = 1;
    constexpr unsigned domain_shift = 8;
    const unsigned levels = levels_of(unit);
    uint64_t* entry = context_entry(unit, id);
    IoTables<Format> tables;
    if (levels == 0 || entry[0] != 0)
        return false;
    tables.create(levels, largest_of(unit));
    if (!tables.reaches(frames))
        return false;
    tables.show(frames);
    entry[1] = (levels - 2) | uint64_t{++unit.domains} << domain_shift;
    entry[0] = address_of(tables.top()).raw() | present;
    return true;
}

}  // namespace bulkhead::vtd
