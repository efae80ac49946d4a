// SPDX-License-Identifier: BSD-2-Clause
// PCI devices that the plan gives to partitions. Which function of the box each one is, is found once, at
// start; from then on it is its owner's: nobody else maps its registers, and it masters the bus only
// while a life of its owner has asked for it.
//
// The core keeps configuration space and the tables of MSI-X to itself. Interrupts are in
// core/devices/interrupts.hpp.
#pragma once

#include "core/boot_info.hpp"
#include "core/partition.hpp"
#include "core/plan.hpp"
#include "core/result.hpp"
#include "core/spinlock.hpp"
#include "platform/x86/pci_device.hpp"

#include <atomic>
#include <span>

namespace bulkhead {

// Frames of a BAR: those that the owner may map, and a piece of them that it may not.
struct DeviceFrames {
    FrameRange all;
    FrameRange closed;                       // count 0: none
};

struct AssignedDevice {
    const plan::Device* plan;
    Partition* owner;
    const PciFunction* function;             // null: not on this box, or not to be given away
    const char* why;                         // a sentence then
    PciDeviceFacts facts;
    std::array<DeviceFrames, 6> frames;      // by BAR
    volatile void* msix_table;               // null: no MSI-X
    uint16_t first_interrupt;                // its places in the table of interrupts: MSI-X, MSI, line
    uint16_t msix_count;                     // vectors of MSI-X that it gets
    bool has_line;
    PciLine line;
    bool confined;                           // an IOMMU lets it reach its owner's DMA region only
    bool remapped;                           // nor can it forge an interrupt
    // Under assigned_lock, as its command register is.
    bool open;                               // a life of the owner has it
    bool reset_tried;
    std::atomic<bool> cut_off;               // it reached for what is not its own: no bus mastering in this life
    std::atomic<uint32_t> faults;
};

extern Spinlock assigned_lock;

// Start-up, after the partitions have their memory: finds the devices, says what there is and what is
// missing, and quiets those that were found.
void init_devices(const plan::Header& header, const BootInfo& info);
[[nodiscard]] std::span<AssignedDevice> all_devices();

// The device that the plan numbers so for the partition; null: none.
[[nodiscard]] AssignedDevice* device_of(const Partition& owner, uint32_t number);
[[nodiscard]] bool owns_devices(const Partition& partition);

// Whether an L1 entry that is present maps a frame of a device of this partition. Then what the entry is
// to be: uncached and marked. 0: it does not.
[[nodiscard]] uint64_t device_entry(const Partition& partition, uint64_t value);

// Bus mastering. XEN_ENODEV, XEN_EACCES (cut off), XEN_EPERM: the life has ended.
Result<> set_device_dma(AssignedDevice& device, bool on);

// A life begins: its devices' registers answer. On the home CPU.
void open_devices(Partition& partition);
// A life ends: no device of it begins a transaction or an interrupt any more. Any CPU.
void silence_devices(Partition& partition);
// After that: whether they have come to rest. False: call again after a moment; `waited_ns` says since
// when. One that takes too long is reset.
[[nodiscard]] bool close_devices(Partition& partition, uint64_t waited_ns);

// An IOMMU has stopped it. Any CPU, also from an interrupt.
void device_faulted(AssignedDevice& device);

}  // namespace bulkhead
