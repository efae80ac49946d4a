// SPDX-License-Identifier: BSD-2-Clause
// One PCI function that somebody other than the firmware is to drive: the sizes of its BARs, what it may
// do, and how it is kept quiet. Only the core writes to configuration space.
// Source: PCI Local Bus Specification 3.0, "Command Register", "Base Addresses", "MSI-X Capability and
// Table Structures"; PCI Express Base Specification, "PCI Express Capability Structure".
#pragma once

#include "platform/x86/pci.hpp"

namespace bulkhead {

struct PciDeviceFacts {
    std::array<uint64_t, 6> bar_bytes;      // 0: none
    uint16_t subsystem_vendor;
    uint16_t subsystem;
    uint8_t express;                        // offsets of capabilities, 0: none
    uint8_t power;
    uint8_t advanced;                       // Advanced Features: resets conventional functions
    bool function_reset;
    // MSI-X: where its table and pending bits lie.
    uint16_t msix_count;
    uint8_t msix_bar;
    uint32_t msix_offset;
    uint8_t pending_bar;
    uint32_t pending_offset;
    bool msi_64bit;
};

// Finds all that out. Its decoding is off meanwhile, and afterwards, as are its interrupts and bus
// mastering. Start-up only.
[[nodiscard]] PciDeviceFacts take_pci_device(const PciFunction& function);

// Its registers answer, it neither masters the bus nor raises its line.
void pci_open(PciAddress address);
// Ends all that. What it has begun may still be under way: see pci_is_idle().
void pci_close(PciAddress address);
void pci_master(PciAddress address, bool on);
// Whether its interrupt line may be used.
void pci_use_line(PciAddress address, bool on);
// No transaction of its own is under way, as far as it can tell.
[[nodiscard]] bool pci_is_idle(const PciFunction& function, const PciDeviceFacts& facts);
// Starts a reset of the function, which takes 100 ms and clears its BARs. False: it has none.
bool pci_start_reset(const PciFunction& function, const PciDeviceFacts& facts);
inline constexpr uint64_t pci_reset_ns = 100'000'000;
// Puts back what a reset has cleared; decoding stays off.
void pci_restore(const PciFunction& function);

struct InterruptMessage {
    uint64_t address;
    uint32_t data;
};
// MSI: one message. Enabling writes it anew.
void msi_enable(const PciFunction& function, const PciDeviceFacts& facts, InterruptMessage message);
void msi_disable(const PciFunction& function);
// MSI-X: the capability as a whole; entries are masked one by one in the table, a device window.
void msix_enable(const PciFunction& function, bool on);
// Silent, but still MSI-X: a card that loses it while it works may take to its interrupt line (and QEMU's
// 82574L ends QEMU). msix_enable() undoes it.
void msix_mask_all(const PciFunction& function);
void msix_write(volatile void* table, unsigned entry, InterruptMessage message);
void msix_mask(volatile void* table, unsigned entry);

// The global interrupt number that a function's interrupt pin is wired to. ACPI's own answer is code,
// which the core does not run: known are the chipsets of QEMU's machines. False: not known.
struct PciLine {
    uint32_t gsi;
    bool active_low;
};
[[nodiscard]] bool pci_find_line(const PciFunction& function, PciLine& line);

}  // namespace bulkhead
