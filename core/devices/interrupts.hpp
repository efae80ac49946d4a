// SPDX-License-Identifier: BSD-2-Clause
// Interrupts of devices as event channels: Xen's physical interrupts (pirqs). Each place in the table has
// a vector of its own for ever, the same on all CPUs, so an interrupt that is on its way while its port
// moves to another vCPU still arrives. A pirq's number is its place.
//
// Lock order: the partition's events lock, then assigned_lock.
#pragma once

#include "core/partition.hpp"
#include "core/result.hpp"

namespace bulkhead {

struct AssignedDevice;

// Start-up: places for a device, as many as there are vectors left for.
void add_device_interrupts(AssignedDevice& device);

enum class InterruptKind : uint8_t { msix, msi, line };
// What PHYSDEVOP_map_pirq names. Returns the number. XEN_ENODEV: the device has no such interrupt.
Result<uint32_t> map_device_interrupt(Partition& owner, AssignedDevice& device, InterruptKind kind, uint32_t entry);
// XEN_EINVAL: not mapped by this partition; XEN_EBUSY: bound.
Result<> unmap_device_interrupt(Partition& owner, uint32_t number);
// The guest has seen to a line.
Result<> end_device_interrupt(Partition& owner, uint32_t number);
[[nodiscard]] Result<bool> device_interrupt_is_line(Partition& owner, uint32_t number);

// A port is bound to it, moves to another vCPU or closes. The events lock is held. Errors as above, and
// XEN_EEXIST: bound already.
Result<> bind_device_interrupt(Partition& owner, uint32_t number, uint32_t port, CpuNumber cpu);
void move_device_interrupt(Partition& owner, uint32_t number, CpuNumber cpu);
void unbind_device_interrupt(Partition& owner, uint32_t number);

// A life begins, its ports are closed: nothing is mapped.
void forget_device_interrupts(const AssignedDevice& device);

// It came, on this CPU. Before the end of interrupt is signalled.
void device_interrupt(uint8_t vector);

// For the monitor.
[[nodiscard]] uint64_t device_interrupts(const AssignedDevice& device);

}  // namespace bulkhead
