// SPDX-License-Identifier: BSD-2-Clause
// See dmar.hpp.
#include "platform/x86/dmar.hpp"

#include "platform/x86/start_only.hpp"

namespace bulkhead {

namespace {

using acpi_reader::Bytes;

// Adds the scopes of one structure; their number, or a problem.
START_ONLY uint16_t read_scopes(const Bytes& from, size_t at, DmarFacts& facts)
{
    constexpr size_t fixed_bytes = 6;
    uint16_t count = 0;
    while (from.holds(at, fixed_bytes)) {
        const auto length = from.get<uint8_t>(at + 1);
        const unsigned hops = length < fixed_bytes ? 0 : (length - unsigned{fixed_bytes}) / 2;
        if (!from.holds(at, length) || hops == 0 || hops > DmarScope::most_hops) {
            facts.problem = "a scope of a device has a wrong length";
            return count;
        }
        if (facts.scope_count == facts.scopes.size()) {
            facts.problem = "it names more devices than fit";
            return count;
        }
        DmarScope& scope = facts.scopes[facts.scope_count++];
        scope = {from.get<uint8_t>(at), from.get<uint8_t>(at + 4), from.get<uint8_t>(at + 5),
                 static_cast<uint8_t>(hops), {}};
        for (unsigned i = 0; i < hops; ++i)
            scope.path[i] = {static_cast<uint8_t>(from.get<uint8_t>(at + fixed_bytes + i * 2) & 31),
                             static_cast<uint8_t>(from.get<uint8_t>(at + fixed_bytes + i * 2 + 1) & 7)};
        ++count;
        at += length;
    }
    return count;
}

START_ONLY void read_unit(const Bytes& entry, DmarFacts& facts)
{
    constexpr uint8_t include_all = 1;
    if (entry.get<uint16_t>(6) != 0)
        return;                     // another segment, of which the core uses none
    const auto base = entry.get<uint64_t>(8);
    if (base == 0 || base % page_size != 0 || base >> 52 != 0) {
        facts.problem = "a unit's registers are at a wrong address";
        return;
    }
    if (facts.unit_count == facts.units.size()) {
        facts.problem = "there are more units than fit";
        return;
    }
    const auto first = static_cast<uint16_t>(facts.scope_count);
    const uint16_t scopes = read_scopes(entry, 16, facts);
    facts.units[facts.unit_count++] = {HostPhysical(base), (entry.get<uint8_t>(4) & include_all) != 0, first, scopes};
}

START_ONLY void read_reserved(const Bytes& entry, DmarFacts& facts)
{
    const auto base = entry.get<uint64_t>(8);
    const auto last = entry.get<uint64_t>(16);
    if (entry.get<uint16_t>(6) != 0)
        return;
    if (base % page_size != 0 || last < base || (last & page_mask) != page_mask || last >> 52 != 0) {
        facts.problem = "memory that it reserves is no range of pages";
        return;
    }
    if (facts.reserved_count == facts.reserved.size()) {
        facts.problem = "it reserves more memory than fits";
        return;
    }
    const auto first = static_cast<uint16_t>(facts.scope_count);
    const uint16_t scopes = read_scopes(entry, 24, facts);
    facts.reserved[facts.reserved_count++] = {base, last, first, scopes};
}

}  // namespace

START_ONLY void read_dmar(const Bytes& table, DmarFacts& facts)
{
    enum Type : uint16_t { unit = 0, reserved = 1 };
    constexpr size_t first_structure = 48;
    facts = {};
    facts.address_bits = static_cast<uint8_t>(table.get<uint8_t>(36) + 1);
    facts.interrupt_remapping = (table.get<uint8_t>(37) & 1) != 0;
    size_t at = first_structure;
    while (facts.problem == nullptr && table.holds(at, 4)) {
        const auto type = table.get<uint16_t>(at);
        const auto length = table.get<uint16_t>(at + 2);
        if (length < 4 || !table.holds(at, length)) {
            facts.problem = "a structure in it has a wrong length";
            return;
        }
        const Bytes entry = table.part(at, length);
        if (type == unit && length >= 16)
            read_unit(entry, facts);
        else if (type == reserved && length >= 24)
            read_reserved(entry, facts);
        at += length;
    }
    if (facts.problem == nullptr && facts.unit_count == 0)
        facts.problem = "it has no unit";
}

PciAddress dmar_target(const DmarScope& scope, PciRead read)
{
    constexpr uint16_t reg_bus_numbers = 0x18;
    unsigned bus = scope.bus;
    PciAddress at = pci_address(bus, scope.path[0].device, scope.path[0].function);
    for (unsigned i = 1; i < scope.hops; ++i) {
        bus = read(at, reg_bus_numbers) >> 8 & 0xFF;
        at = pci_address(bus, scope.path[i].device, scope.path[i].function);
    }
    return at;
}

}  // namespace bulkhead
