// SPDX-License-Identifier: BSD-2-Clause
// Finding the devices of the plan on this box. Start-up only.
#include "core/devices/search.hpp"

#include "core/boot_allocator.hpp"
#include "core/devices/interrupts.hpp"
#include "core/devices/devices.hpp"
#include "core/log.hpp"
#include "core/plan_check.hpp"
#include "machine/core_space.hpp"
#include "machine/memory.hpp"
#include "platform/x86/acpi.hpp"
#include "platform/x86/iommu.hpp"

#include <algorithm>
#include <cstdio>

namespace bulkhead {

namespace {

constinit std::span<AssignedDevice> devices{};
constexpr size_t reason_bytes = 120;
constexpr size_t address_bytes = 8;

template <class... Arguments>
const char* reason(const char* format, Arguments... arguments)
{
    auto* text = static_cast<char*>(boot_allocate(reason_bytes, 1));
    snprintf(text, reason_bytes, format, arguments...);
    return text;
}

struct AddressText {
    std::array<char, address_bytes + 1> text;
};
AddressText text_of(PciAddress address)
{
    AddressText to{};
    snprintf(to.text.data(), to.text.size(), "%02x:%02x.%x", pci_bus(address) & 0xFF, pci_device(address) & 0x1F,
             pci_function(address) & 7);
    return to;
}

bool is_taken(const PciFunction& function)
{
    return std::any_of(devices.begin(), devices.end(),
                       [&](const AssignedDevice& device) { return device.function == &function; });
}

bool overlaps(uint64_t base, uint64_t bytes, uint64_t other, uint64_t other_bytes)
{
    return base < other + other_bytes && other < base + bytes;
}

// Memory, and registers that the core keeps.
bool is_core_range(const BootInfo& info, uint64_t base, uint64_t bytes)
{
    const AcpiFacts& facts = acpi();
    constexpr uint64_t messages = 0xFEE0'0000;              // the local APICs, and where interrupts are written to
    constexpr uint64_t messages_bytes = 0x10'0000;
    for (uint32_t i = 0; i < info.memory_map_count; ++i) {
        const MemoryMapEntry& entry = info.memory_map[i];
        if (entry.kind == MemoryKind::usable && overlaps(base, bytes, entry.base.raw(), entry.size_bytes))
            return true;
    }
    for (uint32_t i = 0; i < facts.io_apic_count; ++i)
        if (overlaps(base, bytes, facts.io_apics[i].address.raw(), page_size))
            return true;
    for (uint32_t i = 0; i < facts.pci_segment_count; ++i) {
        const AcpiPciSegment& segment = facts.pci_segments[i];
        if (overlaps(base, bytes, segment.base.raw(), (segment.last_bus + uint64_t{1}) << 20))
            return true;
    }
    return overlaps(base, bytes, messages, messages_bytes) || iommu_has_registers(HostPhysical(base), bytes) ||
           (facts.hpet.raw() != 0 && overlaps(base, bytes, facts.hpet.raw(), page_size));
}

// A page that another function's registers lie in as well is nobody's. Sizes of others are not known, so
// this looks for those that begin in it; a BAR that begins before it is at least a page and aligned.
bool shares_page(const PciFunction& function, uint64_t base, uint64_t bytes)
{
    for (const PciFunction& other : pci_functions()) {
        for (const PciBar& bar : other.bars) {
            if (&other != &function && bar.kind == PciBar::Kind::memory && bar.base != 0 &&
                overlaps(base & ~page_mask, align_up(bytes, page_size), bar.base, 1))
                return true;
        }
    }
    return false;
}

// The part of a BAR that holds something of MSI-X, by pages.
FrameRange closed_part(const AssignedDevice& device, unsigned bar)
{
    const PciDeviceFacts& facts = device.facts;
    constexpr uint64_t entry_bytes = 16;
    uint64_t first = ~uint64_t{0};
    uint64_t end = 0;
    const auto close = [&](uint64_t offset, uint64_t bytes) {
        first = std::min(first, offset & ~page_mask);
        end = std::max(end, align_up(offset + bytes, page_size));
    };
    if (device.function->msix == 0)
        return {};
    if (facts.msix_bar == bar)
        close(facts.msix_offset, facts.msix_count * entry_bytes);
    if (facts.pending_bar == bar)
        close(facts.pending_offset, align_up(facts.msix_count, 64) / 8);
    if (end == 0)
        return {};
    return {frame_of(HostPhysical(device.function->bars[bar].base + first)), (end - first) >> page_shift};
}

const char* take_bars(const BootInfo& info, AssignedDevice& device)
{
    for (unsigned i = 0; i < device.frames.size(); ++i) {
        const uint64_t bytes = device.facts.bar_bytes[i];
        const uint64_t base = device.function->bars[i].base;
        if (bytes == 0)
            continue;
        if (base == 0)
            return reason("the firmware has given its BAR %u no address", i);
        if (base % bytes != 0 || base + bytes < base || is_core_range(info, base, bytes))
            return reason("its BAR %u at %#lx is in the way of something else", i, static_cast<unsigned long>(base));
        if (shares_page(*device.function, base, bytes))
            continue;
        device.frames[i] = {{frame_of(HostPhysical(base)), frames_for(bytes)}, closed_part(device, i)};
    }
    return nullptr;
}

void map_msix_table(AssignedDevice& device)
{
    const PciDeviceFacts& facts = device.facts;
    constexpr uint64_t entry_bytes = 16;
    if (device.function->msix == 0 || facts.msix_bar >= facts.bar_bytes.size())
        return;
    const uint64_t bytes = facts.msix_count * entry_bytes;
    const uint64_t room = facts.bar_bytes[facts.msix_bar];
    if (facts.msix_offset > room || bytes > room - facts.msix_offset)
        return;
    const uint64_t at = device.function->bars[facts.msix_bar].base + facts.msix_offset;
    auto* window = static_cast<volatile char*>(machine::map_device(HostPhysical(at & ~page_mask), bytes + (at & page_mask)));
    device.msix_table = window + (at & page_mask);
}

// --- What the log says ----------------------------------------------------------------------------------

void log_what_is_there(const plan::Device& wanted)
{
    unsigned shown = 0;
    for (const PciFunction& function : pci_functions()) {
        const bool of_class = function.class_code >> 16 == wanted.base_class;
        if (wanted.match == plan::DeviceMatch::any && !of_class)
            continue;
        if (function.header_type != 0)
            continue;
        log("    there is %s %04x:%04x, class %06x%s", text_of(function.address).text.data(),
            unsigned{function.vendor}, unsigned{function.device}, function.class_code,
            is_taken(function) ? ", which is taken" : "");
        ++shown;
    }
    if (shown == 0)
        log("    there is none of that class at all");
}

void log_device(const plan::Header& header, const AssignedDevice& device)
{
    const char* purpose = plan::text(header, device.plan->purpose).data();
    const char* wanted = plan::text(header, device.plan->wanted).data();
    if (device.function == nullptr) {
        log("device %u of %s (%s): MISSING: looked for %s: %s", unsigned{device.plan->number}, device.owner->name(),
            purpose, wanted, device.why);
        return log_what_is_there(*device.plan);
    }
    const char* interrupts = device.msix_count != 0            ? "MSI-X"
                             : device.function->msi != 0 ? "MSI"
                             : device.has_line                 ? "its interrupt line"
                                                               : "no interrupt that is known; a timer looks at it";
    log("device %u of %s (%s): %s %04x:%04x, %s", unsigned{device.plan->number}, device.owner->name(), purpose,
        text_of(device.function->address).text.data(), unsigned{device.function->vendor},
        unsigned{device.function->device}, interrupts);
    if (device.confined)
        log("    an IOMMU lets it reach %lu KiB only%s", static_cast<unsigned long>(device.owner->plan->dma_frames << 2),
            device.remapped ? ", and it cannot forge interrupts" : ", but it could forge interrupts");
    else
        log("    NO IOMMU confines it: %s is as trusted as the core", device.owner->name());
}

// --- Finding ---------------------------------------------------------------------------------------------

const PciFunction* find_function(const plan::Header& header, const plan::Device& wanted)
{
    const auto ids = plan::table<plan::DeviceId>(header, wanted.ids);
    const PciFunction* best = nullptr;
    for (const PciFunction& function : pci_functions()) {
        if (device_matches(wanted, ids, function) && !is_taken(function) &&
            (best == nullptr || function.address < best->address))
            best = &function;
    }
    return best;
}

const char* take(const BootInfo& info, AssignedDevice& device)
{
    if (device.owner->state.load(std::memory_order_relaxed) == PartitionState::left_out)
        return "its owner is left out";
    constexpr uint32_t class_serial_port = 0x0700;
    if (device.function->class_code >> 8 == class_serial_port)
        return "serial cards are the core's";
    device.facts = take_pci_device(*device.function);
    if (const char* wrong = take_bars(info, device); wrong != nullptr)
        return wrong;
    pci_open(device.function->address);
    map_msix_table(device);
    device.has_line = pci_find_line(*device.function, device.line);
    add_device_interrupts(device);
    return nullptr;
}

void confine(AssignedDevice& device)
{
    const plan::Partition& plan = *device.owner->plan;
    const Mfn first = initial_frame(device.owner->memory, Pfn(plan.dma_pfn));
    const uint64_t frames = plan.dma_frames;
    device.confined = iommu_confine(device.function->address, {frames == 0 ? Mfn(0) : first, frames});
}

}  // namespace

bool device_matches(const plan::Device& wanted, std::span<const plan::DeviceId> ids, const PciFunction& function)
{
    if (function.header_type != 0 || wanted.segment != 0)
        return false;
    if (wanted.match == plan::DeviceMatch::address)
        return function.address.raw() == (unsigned{wanted.bus} << 8 | wanted.devfn);
    if (wanted.match == plan::DeviceMatch::any &&
        function.class_code >> 8 != (unsigned{wanted.base_class} << 8 | wanted.sub_class))
        return false;
    return std::any_of(ids.begin(), ids.end(), [&](plan::DeviceId id) {
        return id.vendor == function.vendor && id.device == function.device;
    });
}

std::span<AssignedDevice> all_devices() { return devices; }

void init_devices(const plan::Header& header, const BootInfo& info)
{
    const auto planned = plan::table<plan::Device>(header, header.devices);
    devices = boot_allocate_array<AssignedDevice>(planned.size());
    for (size_t i = 0; i < planned.size(); ++i) {
        AssignedDevice& device = devices[i];
        device.plan = &planned[i];
        device.owner = &all_partitions()[planned[i].partition];
        const PciFunction* function = find_function(header, planned[i]);
        device.function = function;
        device.why = function == nullptr ? "this box has none" : take(info, device);
        if (device.why != nullptr)
            device.function = nullptr;
        else
            confine(device);
    }
    start_iommus(info);
    for (AssignedDevice& device : devices) {
        device.confined = device.confined && iommu_confines();
        device.remapped = device.function != nullptr && iommu_remaps(device.function->address);
        log_device(header, device);
    }
}

}  // namespace bulkhead
