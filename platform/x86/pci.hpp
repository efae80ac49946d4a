// SPDX-License-Identifier: BSD-2-Clause
// PCI configuration space and the functions that the firmware has set up. The core alone accesses
// configuration space. Source: PCI Local Bus Specification 3.0, "Configuration Space Organization";
// PCI Express Base Specification, "PCI Express Enhanced Configuration Access Mechanism (ECAM)".
#pragma once

#include "core/types.hpp"

#include <array>
#include <cstdint>
#include <span>

namespace bulkhead {

// Bus, device and function in one number, as in a requester id.
using PciAddress = Number<struct PciAddressTag, uint16_t>;
constexpr PciAddress pci_address(unsigned bus, unsigned device, unsigned function)
{
    return PciAddress(static_cast<uint16_t>((bus << 8) | (device << 3) | function));
}
constexpr unsigned pci_bus(PciAddress address) { return address.raw() >> 8; }
constexpr unsigned pci_device(PciAddress address) { return (address.raw() >> 3) & 31; }
constexpr unsigned pci_function(PciAddress address) { return address.raw() & 7; }

struct PciBar {
    enum class Kind : uint8_t { none, io, memory };
    Kind kind;
    bool prefetchable;
    uint64_t base;          // 0: not assigned
};

struct PciFunction {
    PciAddress address;
    uint16_t vendor;
    uint16_t device;
    uint32_t class_code;    // class, subclass, programming interface: 24 bits
    uint8_t revision;
    uint8_t header_type;    // 0: device, 1: bridge
    uint8_t interrupt_pin;  // 1 to 4 are INTA# to INTD#, 0 none
    uint8_t msi;            // offset of the capability, 0: none
    uint8_t msix;
    uint8_t secondary_bus;  // of a bridge
    std::array<PciBar, 6> bars;
};

inline constexpr size_t max_pci_functions = 256;

// Reads a naturally aligned doubleword.
using PciRead = uint32_t (*)(PciAddress address, uint16_t offset);

// Lists functions of bus 0 and of all buses behind bridges, by address of the bus that is reached
// first. Returns the number; `truncated` if there are more than fit.
size_t enumerate_pci(PciRead read, std::span<PciFunction> to, bool& truncated);

// Finds out how to reach configuration space and lists the functions. Start-up only.
void init_pci();
[[nodiscard]] std::span<const PciFunction> pci_functions();
[[nodiscard]] bool pci_truncated();
// Whose secondary side is that bus; null for a root's.
[[nodiscard]] const PciFunction* pci_bridge_to(unsigned bus);

// Any CPU. Offsets from 256 on need ECAM: without it they read as all ones and are not written.
[[nodiscard]] uint32_t pci_read32(PciAddress address, uint16_t offset);
void pci_write32(PciAddress address, uint16_t offset, uint32_t value);
void pci_write16(PciAddress address, uint16_t offset, uint16_t value);

}  // namespace bulkhead
