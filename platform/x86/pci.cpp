// SPDX-License-Identifier: BSD-2-Clause
// Access to configuration space: memory-mapped where the firmware's table is right about it, else by
// the pair of ports that every PC has.
#include "platform/x86/pci.hpp"

#include "core/spinlock.hpp"
#include "machine/core_space.hpp"
#include "platform/x86/acpi.hpp"
#include "platform/x86/instructions.hpp"

namespace bulkhead {

namespace {

constexpr uint16_t port_address = 0xCF8;
constexpr uint16_t port_data = 0xCFC;
constexpr uint16_t first_extended_offset = 256;
constexpr uint64_t bytes_a_bus = uint64_t{1} << 20;

struct Ecam {
    volatile void* window;      // of bus 0
    unsigned last_bus;
};
constinit Ecam ecam{nullptr, 0};
constinit Spinlock port_lock{LockRank::device};
constinit std::array<PciFunction, max_pci_functions> functions{};
constinit size_t function_count{0};
constinit bool functions_truncated{false};

void select(PciAddress address, uint16_t offset)
{
    constexpr uint32_t enable = 1u << 31;
    x86::out32(port_address, enable | (uint32_t{address.raw()} << 8) | (offset & 0xFCu));
}

uint32_t read_by_ports(PciAddress address, uint16_t offset)
{
    const LockGuard guard(port_lock);
    select(address, offset);
    return x86::in32(port_data);
}

bool in_ecam(PciAddress address) { return ecam.window != nullptr && pci_bus(address) <= ecam.last_bus; }

size_t ecam_offset(PciAddress address, uint16_t offset) { return (size_t{address.raw()} << 12) | (offset & 0xFFFu); }

// Only a window that shows the same host bridge as the ports is believed.
void find_ecam()
{
    for (uint32_t i = 0; i < acpi().pci_segment_count; ++i) {
        const AcpiPciSegment& segment = acpi().pci_segments[i];
        if (segment.segment != 0 || segment.first_bus != 0 || segment.base.raw() % bytes_a_bus != 0)
            continue;
        const uint64_t size = (segment.last_bus + uint64_t{1}) * bytes_a_bus;
        volatile void* window = machine::map_device(segment.base, size);
        if (x86::read_register<uint32_t>(window, 0) == read_by_ports(PciAddress(0), 0))
            ecam = {window, segment.last_bus};
        return;
    }
}

}  // namespace

uint32_t pci_read32(PciAddress address, uint16_t offset)
{
    if (in_ecam(address))
        return x86::read_register<uint32_t>(ecam.window, ecam_offset(address, offset));
    if (offset >= first_extended_offset)
        return ~0u;
    return read_by_ports(address, offset);
}

void pci_write32(PciAddress address, uint16_t offset, uint32_t value)
{
    if (in_ecam(address)) {
        x86::write_register<uint32_t>(ecam.window, ecam_offset(address, offset), value);
        return;
    }
    if (offset >= first_extended_offset)
        return;
    const LockGuard guard(port_lock);
    select(address, offset);
    x86::out32(port_data, value);
}

void pci_write16(PciAddress address, uint16_t offset, uint16_t value)
{
    if (in_ecam(address)) {
        x86::write_register<uint16_t>(ecam.window, ecam_offset(address, offset), value);
        return;
    }
    if (offset >= first_extended_offset)
        return;
    const LockGuard guard(port_lock);
    select(address, offset);
    x86::out16(static_cast<uint16_t>(port_data + (offset & 2)), value);
}

void init_pci()
{
    find_ecam();
    function_count = enumerate_pci(pci_read32, functions, functions_truncated);
}

std::span<const PciFunction> pci_functions() { return std::span<const PciFunction>(functions).first(function_count); }
bool pci_truncated() { return functions_truncated; }

const PciFunction* pci_bridge_to(unsigned bus)
{
    for (const PciFunction& function : pci_functions())
        if (function.header_type == 1 && function.secondary_bus == bus && bus != 0)
            return &function;
    return nullptr;
}

}  // namespace bulkhead
