// SPDX-License-Identifier: BSD-2-Clause
// VT-d, as iommu.cpp asks for it: whatever has no entry in a unit's tables cannot reach memory.
// Source: Intel Virtualization Technology for Directed I/O.
#include "core/log.hpp"
#include "platform/x86/start_only.hpp"
#include "platform/x86/vtd_unit.hpp"

namespace bulkhead {

namespace vtd {

namespace {

constinit bool started{false};

START_ONLY const char* find(const void* table, uint32_t bytes)
{
    read_dmar(acpi_reader::Bytes({static_cast<const uint8_t*>(table), bytes}), dmar);
    if (dmar.problem != nullptr)
        return dmar.problem;
    for (; unit_count < dmar.unit_count; ++unit_count) {
        Unit& unit = all_units[unit_count];
        make_unit(unit, dmar.units[unit_count]);
        if (unit.capability == ~uint64_t{0} || levels_of(unit) == 0)
            return "a unit does not answer, or has no tables that the core knows";
    }
    return nullptr;
}

// Firmware may go on using what it reserved. Nothing of it may be memory that is used otherwise, which
// the map of memory says; a line tells.
START_ONLY void show_reserved(const BootInfo& info)
{
    for (uint32_t i = 0; i < dmar.reserved_count; ++i) {
        const DmarReserved& range = dmar.reserved[i];
        const FrameRange frames{frame_of(HostPhysical(range.base)), (range.last - range.base + 1) >> page_shift};
        for (uint32_t s = 0; s < range.scopes; ++s) {
            const PciAddress address = dmar_target(dmar.scopes[range.first_scope + s], pci_read32);
            Unit* unit = unit_of(address);
            const bool free = !iommu_is_usable_memory(info, frames);
            const bool shown = free && unit != nullptr && show(*unit, address, frames);
            log("    %02x:%02x.%x may reach %#lx to %#lx, which the firmware reserves for it%s", pci_bus(address),
                pci_device(address), pci_function(address), static_cast<unsigned long>(range.base),
                static_cast<unsigned long>(range.last), shown ? "" : ": REFUSED");
        }
    }
}

START_ONLY const char* start(const BootInfo& info)
{
    show_reserved(info);
    for (Unit& unit : units()) {
        if (start_unit(unit))
            continue;
        for (const Unit& other : std::span(units().data(), &unit + 1))
            (void)command(other, bit_translate, false);
        return "a unit does not do what it is told";
    }
    start_remapping();
    for (const Unit& unit : units())
        report_faults_of(unit);
    started = true;
    return nullptr;
}

bool has_registers(uint64_t base, uint64_t bytes)
{
    for (const Unit& unit : units()) {
        const uint64_t at = unit.facts->base.raw();
        if (base < at + page_size && at < base + bytes)
            return true;
    }
    return false;
}

bool confine(const Requester& requester, FrameRange frames)
{
    Unit* unit = unit_of(requester.function);
    if (unit == nullptr)
        return false;
    for (uint32_t i = 0; i < dmar.reserved_count; ++i) {
        if (is_in_scopes(dmar.reserved[i].first_scope, dmar.reserved[i].scopes, requester.function))
            return false;
    }
    const PciAddress bridge = requester.id;
    return show(*unit, requester.function, frames) &&
           (bridge == requester.function || show(*unit, bridge, frames));
}

bool remaps(PciAddress function)
{
    const Unit* unit = unit_of(function);
    return unit != nullptr && unit->remap != invalid_mfn && started;
}

}  // namespace

}  // namespace vtd

constinit const IommuKind vtd_kind{"VT-d", vtd::find, vtd::has_registers, vtd::confine, vtd::start, vtd::remaps,
                                   vtd::interrupt_message, vtd::forget_interrupt, vtd::take_fault};

}  // namespace bulkhead
