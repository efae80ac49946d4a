// SPDX-License-Identifier: BSD-2-Clause
// VT-d's check of interrupts: one entry for each that a device or a line of an I/O APIC may send, and by whom.
// Source: Intel Virtualization Technology for Directed I/O, "Interrupt Remapping".
#include "core/spinlock.hpp"
#include "platform/x86/io_apic.hpp"
#include "platform/x86/local_apic.hpp"
#include "platform/x86/start_only.hpp"
#include "platform/x86/vtd_unit.hpp"

#include <machine/memory.hpp>

namespace bulkhead::vtd {

namespace {

constexpr unsigned remap_entries = 256;
constexpr unsigned first_line_entry = 192;      // handles below are of functions' interrupts
constinit Spinlock queue_lock{LockRank::device};

struct Source {
    PciAddress id;
    bool by_bus;
};

uint64_t remap_low(const Unit& unit, uint8_t vector, uint32_t apic_id, bool level)
{
    constexpr uint64_t present = 1;
    const bool wide = local_apic_is_x2() && takes_wide_ids(unit);
    const uint64_t target = wide ? uint64_t{apic_id} << 32 : uint64_t{apic_id & 0xFF} << 40;
    return present | (level ? 1u << 4 : 0) | uint64_t{vector} << 16 | target;
}

// Who else sends it is refused.
uint64_t remap_high(Source source)
{
    constexpr uint64_t whole_id = uint64_t{1} << 18;
    constexpr uint64_t by_bus = uint64_t{2} << 18;
    if (!source.by_bus)
        return whole_id | source.id.raw();
    return by_bus | uint64_t{pci_bus(source.id)} << 8 | pci_bus(source.id);
}

// The entry changes while it is absent.
bool set_entry(Unit& unit, uint32_t handle, uint64_t low, uint64_t high)
{
    auto* entry = machine::frame_pointer<volatile uint64_t>(unit.remap) + size_t{handle} * 2;
    const LockGuard guard(queue_lock);
    if (entry[0] == low && entry[1] == high)
        return !unit.broken;
    entry[0] = 0;
    entry[1] = high;
    asm volatile("" : : : "memory");
    entry[0] = low;
    publish(unit, const_cast<const uint64_t*>(entry));
    if (!unit.broken && !forget_entry(unit, handle))
        unit.broken = true;
    return !unit.broken;
}

struct LineSource {
    Unit* unit;
    PciAddress id;
};
LineSource source_of_lines(uint32_t io_apic_id)
{
    for (Unit& unit : units()) {
        const DmarUnit& facts = *unit.facts;
        for (uint32_t s = 0; s < facts.scopes; ++s) {
            const DmarScope& scope = dmar.scopes[facts.first_scope + s];
            if (scope.kind == DmarScope::io_apic && scope.id == io_apic_id)
                return {&unit, dmar_target(scope, pci_read32)};
        }
    }
    return {nullptr, PciAddress(0)};
}

// Source: "Interrupt Requests in Remappable Format", of I/O APIC entries.
bool line_entry(const LineRoute& route, uint32_t& low, uint32_t& high)
{
    constexpr uint32_t remappable = 1u << 16;
    constexpr uint32_t level = 1u << 15;
    const LineSource source = source_of_lines(route.io_apic_id);
    const uint32_t handle = first_line_entry + route.line;
    if (source.unit == nullptr || source.unit->remap == invalid_mfn || handle >= remap_entries)
        return false;
    const auto vector = static_cast<uint8_t>(route.low);
    if (!set_entry(*source.unit, handle, remap_low(*source.unit, vector, route.apic_id, (route.low & level) != 0),
                   remap_high({source.id, false})))
        return false;
    low = route.low;
    high = handle << 17 | remappable;
    return true;
}

START_ONLY bool try_remapping()
{
    for (const Unit& unit : units()) {
        if (unit.remap == invalid_mfn)
            return false;
    }
    for (uint32_t i = 0; i < acpi().io_apic_count; ++i) {
        if (source_of_lines(acpi().io_apics[i].id).unit == nullptr)
            return false;
    }
    if (!compose_lines(line_entry))
        return false;
    for (const Unit& unit : units()) {
        if (!command(unit, bit_remap, true))
            return false;
    }
    return true;
}

START_ONLY void forgo_remapping()
{
    for (Unit& unit : units()) {
        if (unit.remap != invalid_mfn)
            (void)command(unit, bit_remap, false);
        unit.remap = invalid_mfn;
    }
    (void)compose_lines(nullptr);
}

}  // namespace

START_ONLY void start_remapping()
{
    if (!try_remapping())
        forgo_remapping();
}

// Source: "Interrupt Requests in Remappable Format".
bool interrupt_message(const Requester& requester, uint32_t number, uint8_t vector, uint32_t apic_id,
                       InterruptMessage& message)
{
    constexpr uint32_t message_base = 0xFEE0'0000;
    constexpr uint32_t remappable = 1u << 4;
    Unit* unit = unit_of(requester.function);
    const bool wide = local_apic_is_x2() && takes_wide_ids(*unit);
    if (number >= first_line_entry || (!wide && apic_id > 0xFE))
        return false;
    if (!set_entry(*unit, number, remap_low(*unit, vector, apic_id, false), remap_high({requester.id, requester.by_bus})))
        return false;
    message = {message_base | remappable | number << 5, 0};
    return true;
}

void forget_interrupt(const Requester& requester, uint32_t number)
{
    if (Unit* unit = unit_of(requester.function); unit != nullptr)
        (void)set_entry(*unit, number, 0, 0);
}

}  // namespace bulkhead::vtd
