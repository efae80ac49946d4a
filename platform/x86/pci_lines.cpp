// SPDX-License-Identifier: BSD-2-Clause
// Where the interrupt pins of PCI functions end. Source: Intel 82371SB (PIIX3) data sheet, "PIRQRC";
// Intel I/O Controller Hub 9 data sheet, "PIRQ to interrupt routing"; PCI-to-PCI Bridge Architecture
// Specification, "Interrupt Support" (the turn of pins at each bridge). QEMU's q35 wires slot n of its
// root bus to PIRQ E to H in turn, which a real board need not.
#include "platform/x86/acpi.hpp"
#include "platform/x86/pci_device.hpp"
#include "platform/x86/start_only.hpp"

namespace bulkhead {

namespace {

constexpr uint32_t piix3 = 0x7000'8086;         // device, vendor
constexpr uint32_t q35_host = 0x29c0'8086;
constexpr uint32_t qemu_subsystem = 0x1100'1af4;
constexpr uint16_t reg_subsystem = 0x2C;
constexpr uint16_t reg_interrupt = 0x3C;

START_ONLY bool has_function(PciAddress address, uint32_t identity) { return pci_read32(address, 0) == identity; }

// The line that the firmware has routed the pin to, which is level-triggered on both controllers.
START_ONLY bool line_by_firmware(const PciFunction& function, PciLine& line)
{
    constexpr unsigned last_isa_line = 15;
    const unsigned isa = pci_read32(function.address, reg_interrupt) & 0xFF;
    if (isa < 3 || isa > last_isa_line)
        return false;
    line = {isa, false};
    for (uint32_t i = 0; i < acpi().override_count; ++i) {
        const AcpiOverride& entry = acpi().overrides[i];
        if (entry.isa_line == isa)
            line = {entry.line, entry.active_low};
    }
    return true;
}

START_ONLY bool line_of_q35(const PciFunction& function, PciLine& line)
{
    constexpr unsigned first_pirq_line = 16;
    constexpr unsigned first_chipset_slot = 25;
    unsigned pin = function.interrupt_pin - 1u;
    PciAddress address = function.address;
    for (unsigned depth = 0; pci_bus(address) != 0; ++depth) {
        const PciFunction* bridge = pci_bridge_to(pci_bus(address));
        if (bridge == nullptr || depth == 8)
            return false;
        pin = (pin + pci_device(address)) % 4;
        address = bridge->address;
    }
    if (pci_device(address) >= first_chipset_slot)
        return false;
    line = {first_pirq_line + 4 + (pci_device(address) + pin) % 4, false};
    return true;
}

}  // namespace

START_ONLY bool pci_find_line(const PciFunction& function, PciLine& line)
{
    if (function.interrupt_pin == 0 || function.interrupt_pin > 4)
        return false;
    if (has_function(pci_address(0, 1, 0), piix3))
        return line_by_firmware(function, line);
    const PciAddress host = pci_address(0, 0, 0);
    if (has_function(host, q35_host) && pci_read32(host, reg_subsystem) == qemu_subsystem)
        return line_of_q35(function, line);
    return false;
}

}  // namespace bulkhead
