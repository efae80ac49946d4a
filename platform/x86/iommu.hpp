// SPDX-License-Identifier: BSD-2-Clause
// IOMMUs as the core uses them, whichever kind the box has: VT-d (vtd.cpp), AMD-Vi (amd_iommu.cpp) or none.
// Bus addresses are machine addresses: a device's domain shows its owner's DMA region where it is, and
// nothing else. All tables are made at start.
#pragma once

#include "core/boot_info.hpp"
#include "core/pv/memory_state.hpp"
#include "platform/x86/pci_device.hpp"

namespace bulkhead {

// Start-up, once PCI is known: maps the units that ACPI lists. They do nothing yet.
void find_iommus();
// Start-up, before start_iommus(): the function may reach these frames only. False: no unit has it.
[[nodiscard]] bool iommu_confine(PciAddress address, FrameRange frames);
// Start-up: turns all units on. From here on whatever is not confined cannot reach memory at all.
void start_iommus(const BootInfo& info);

// Whether a function that could be confined is, and whether its interrupts are checked.
[[nodiscard]] bool iommu_confines();
[[nodiscard]] bool iommu_remaps(PciAddress address);
// Whether a range has registers of a unit in it.
[[nodiscard]] bool iommu_has_registers(HostPhysical base, uint64_t bytes);

// What a function writes to interrupt a CPU; `number` is its own for ever. False: the CPU cannot be
// reached by it. assigned_lock is held for this and the next.
[[nodiscard]] bool iommu_interrupt_message(PciAddress source, uint32_t number, uint8_t vector, uint32_t apic_id,
                                           InterruptMessage& message);
void iommu_forget_interrupt(PciAddress source, uint32_t number);

// vector_iommu came: faults are counted, told of and forgotten; device_faulted() hears of each.
void iommu_interrupt();

// For the monitor and the log.
struct IommuState {
    const char* name;               // null: the box has none
    const char* problem;            // a sentence: why it is not used, or null
    bool checks_interrupts;
    uint32_t faults;
};
[[nodiscard]] IommuState iommu_state();

}  // namespace bulkhead
