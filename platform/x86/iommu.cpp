// SPDX-License-Identifier: BSD-2-Clause
// See iommu.hpp: from the firmware's tables to one kind of units, and the faults that they report.
#include "platform/x86/iommu.hpp"

#include "core/devices/devices.hpp"
#include "core/log.hpp"
#include <machine/core_space.hpp>
#include "platform/x86/acpi.hpp"
#include "platform/x86/iommu_unit.hpp"
#include "platform/x86/start_only.hpp"

#include <cstring>

namespace bulkhead {

namespace {

constinit const IommuKind* kind{nullptr};       // null: none is used
constinit IommuState state{};
constinit bool running{false};

constexpr uint32_t faults_told = 16;            // in full, since the start
constexpr uint32_t faults_at_once = 32;

// A bridge whose secondary side is conventional PCI speaks for what is behind it.
// Source: PCI Express to PCI/PCI-X Bridge Specification, "Requester ID".
bool hides_requesters(const PciFunction& bridge)
{
    constexpr uint16_t reg_capabilities = 0x34;
    constexpr unsigned most_capabilities = 48;
    constexpr uint32_t express = 0x10;
    constexpr uint32_t to_pci = 7;
    unsigned at = pci_read32(bridge.address, reg_capabilities) & 0xFC;
    for (unsigned i = 0; i < most_capabilities && at >= 0x40; ++i) {
        const uint32_t header = pci_read32(bridge.address, static_cast<uint16_t>(at));
        if ((header & 0xFF) == express)
            return (header >> 20 & 15) == to_pci;
        at = header >> 8 & 0xFC;
    }
    return true;
}

Requester requester_of(PciAddress function)
{
    Requester requester{function, function, false};
    unsigned bus = pci_bus(function);
    for (unsigned depth = 0; depth < 16; ++depth) {
        const PciFunction* bridge = pci_bridge_to(bus);
        if (bridge == nullptr)
            break;
        if (hides_requesters(*bridge))
            requester = {function, pci_address(bus, 0, 0), true};
        bus = pci_bus(bridge->address);
    }
    return requester;
}

START_ONLY const char* use(const IommuKind& candidate, const AcpiTable& table)
{
    state.name = candidate.name;
    if (!table.usable)
        return "the firmware's table of it is damaged";
    return candidate.find(machine::map_firmware(table.address, table.length), table.length);
}

AssignedDevice* device_at(PciAddress id)
{
    for (AssignedDevice& device : all_devices()) {
        if (device.function != nullptr && requester_of(device.function->address).id == id)
            return &device;
    }
    return nullptr;
}

void tell(const IommuFault& fault, const AssignedDevice* device)
{
    const char* owner = device != nullptr ? device->owner->name() : "nobody";
    if (fault.interrupt)
        log("IOMMU: device %02x:%02x.%x of %s sent an interrupt that is not its own (reason %#x)",
            pci_bus(fault.source), pci_device(fault.source), pci_function(fault.source), owner, unsigned{fault.reason});
    else
        log("IOMMU: device %02x:%02x.%x of %s %s %#lx, which is not its own (reason %#x)", pci_bus(fault.source),
            pci_device(fault.source), pci_function(fault.source), owner, fault.write ? "writes to" : "reads from",
            static_cast<unsigned long>(fault.address), unsigned{fault.reason});
    if (state.faults == faults_told)
        log("IOMMU: further faults are counted, not told");
}

// Nobody drives it; whatever it does is of no use.
void stop_stray(PciAddress source)
{
    for (const PciFunction& function : pci_functions()) {
        if (function.address == source && function.header_type == 0) {
            const LockGuard guard(assigned_lock);
            pci_master(source, false);
        }
    }
}

}  // namespace

START_ONLY void find_iommus()
{
    for (uint32_t i = 0; i < acpi().table_count && kind == nullptr && state.problem == nullptr; ++i) {
        const AcpiTable& table = acpi().tables[i];
        const bool is_vtd = memcmp(table.signature.data(), "DMAR", 4) == 0;
        if (!is_vtd && memcmp(table.signature.data(), "IVRS", 4) != 0)
            continue;
        const IommuKind& candidate = is_vtd ? vtd_kind : amd_iommu_kind;
        state.problem = use(candidate, table);
        if (state.problem == nullptr)
            kind = &candidate;
    }
}

START_ONLY void start_iommus(const BootInfo& info)
{
    if (kind != nullptr) {
        state.problem = kind->start(info);
        if (state.problem != nullptr)
            kind = nullptr;
        running = kind != nullptr;
    }
    state.checks_interrupts = running && kind->remaps(pci_address(0, 0, 0));
    if (state.name == nullptr)
        log("IOMMU: none: whoever drives a device can reach all memory through it");
    else if (!running)
        log("IOMMU: %s, but not used: %s: whoever drives a device can reach all memory through it", state.name,
            state.problem);
    else
        log("IOMMU: %s: devices reach what is their owner's, all others nothing%s", state.name,
            state.checks_interrupts ? "; interrupts are checked" : "; interrupts are NOT checked");
}

bool iommu_confine(PciAddress address, FrameRange frames)
{
    return kind != nullptr && kind->confine(requester_of(address), frames);
}

bool iommu_confines() { return running; }
bool iommu_remaps(PciAddress address) { return running && kind->remaps(address); }
bool iommu_has_registers(HostPhysical base, uint64_t bytes)
{
    return kind != nullptr && kind->has_registers(base.raw(), bytes);
}

bool iommu_is_usable_memory(const BootInfo& info, FrameRange frames)
{
    const uint64_t begin = address_of(frames.first).raw();
    const uint64_t end = begin + (frames.count << page_shift);
    for (uint32_t i = 0; i < info.memory_map_count; ++i) {
        const MemoryMapEntry& entry = info.memory_map[i];
        if (entry.kind == MemoryKind::usable && begin < entry.base.raw() + entry.size_bytes && entry.base.raw() < end)
            return true;
    }
    return false;
}

// Source: Intel SDM vol 3, "Message Address Register Format".
bool iommu_interrupt_message(PciAddress source, uint32_t number, uint8_t vector, uint32_t apic_id,
                             InterruptMessage& message)
{
    constexpr uint32_t message_base = 0xFEE0'0000;
    if (iommu_remaps(source))
        return kind->interrupt_message(requester_of(source), number, vector, apic_id, message);
    if (apic_id > 0xFE)
        return false;
    message = {message_base | apic_id << 12, vector};
    return true;
}

void iommu_forget_interrupt(PciAddress source, uint32_t number)
{
    if (iommu_remaps(source))
        kind->forget_interrupt(requester_of(source), number);
}

void iommu_interrupt()
{
    IommuFault fault{};
    for (uint32_t i = 0; i < faults_at_once && running && kind->take_fault(fault); ++i) {
        AssignedDevice* device = device_at(fault.source);
        if (++state.faults <= faults_told)
            tell(fault, device);
        if (device != nullptr)
            device_faulted(*device);
        else
            stop_stray(fault.source);
    }
}

IommuState iommu_state() { return state; }

}  // namespace bulkhead
