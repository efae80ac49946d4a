// SPDX-License-Identifier: BSD-2-Clause
// What lies around the core in this model: the console's other side, the life cycle, the device's hardware.
#include "world.hpp"

#include "core/devices/interrupts.hpp"
#include "core/hardware.hpp"
#include "core/lifecycle.hpp"
#include "core/lifecycle_internal.hpp"
#include "core/partition_fault.hpp"
#include "core/slot_health.hpp"
#include "platform/x86/interrupts.hpp"
#include "platform/x86/iommu.hpp"
#include "platform/x86/pci_device.hpp"

namespace bulkhead {

// --- Life cycle ------------------------------------------------------------------------------------

void shut_down(Partition& partition, uint32_t) { fuzz::world->ended[partition.id.raw() - 1u] = true; }
void crash_partition(Vcpu& vcpu, const char*, ...) { shut_down(*vcpu.partition, 0); }
void wake_home(Partition& partition) { cpu_by_number(partition.vcpus[0].cpu).work |= work_lifecycle; }
void lifecycle_step(Vcpu&) {}
Nanoseconds check_slot_health(Nanoseconds) { return never; }

// --- Hardware partitions: one, which asks its machine service ------------------------------------------

static void machine_answer(Vcpu& vcpu, uint64_t) { fuzz::require(vcpu.number.raw() < 2, "an answer for nobody"); }
extern const HardwareOperations hardware_operations{.machine_answer = machine_answer};

// --- Console ---------------------------------------------------------------------------------------

ConsoleSource& core_source()
{
    static char memory[1024];
    static ConsoleSource source;
    static const bool used = (source.log.use(memory), true);
    (void)used;
    return source;
}
void wake_console() {}
Nanoseconds next_console_deadline() { return never; }

// --- The device ------------------------------------------------------------------------------------

std::span<AssignedDevice> all_devices() { return fuzz::devices; }
void pci_open(PciAddress) {}
void pci_master(PciAddress, bool) {}
void pci_use_line(PciAddress, bool) {}
bool pci_is_idle(const PciFunction&, const PciDeviceFacts&) { return true; }
bool pci_start_reset(const PciFunction&, const PciDeviceFacts&) { return true; }
void pci_restore(const PciFunction&) {}
void msi_enable(const PciFunction&, const PciDeviceFacts&, InterruptMessage) {}
void msi_disable(const PciFunction&) {}
void msix_enable(const PciFunction&, bool) {}
void msix_mask_all(const PciFunction&) {}
void msix_write(volatile void*, unsigned, InterruptMessage) {}
void msix_mask(volatile void*, unsigned) {}
bool route_level_line(uint32_t, bool, uint8_t, uint32_t) { return !fuzz::world->input.once_in(4); }
void mask_line(uint32_t) {}
void unmask_line(uint32_t) {}
bool iommu_interrupt_message(PciAddress, uint32_t, uint8_t, uint32_t, InterruptMessage& message)
{
    message = {};
    return !fuzz::world->input.once_in(4);
}
void iommu_forget_interrupt(PciAddress, uint32_t) {}
uint32_t pci_read32(PciAddress, uint16_t offset) { return offset * 0x01010101u; }
void pci_write16(PciAddress, uint16_t, uint16_t) {}

}  // namespace bulkhead
