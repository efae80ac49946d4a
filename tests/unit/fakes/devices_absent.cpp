// SPDX-License-Identifier: BSD-2-Clause
// A box whose plan gives no devices away, for tests of everything else; weak, so that a test of devices
// brings its own.
#include "core/devices/device_op.hpp"
#include "core/devices/interrupts.hpp"
#include "core/devices/devices.hpp"
#include "core/hypercall.hpp"
#include "platform/x86/iommu.hpp"

namespace bulkhead {

[[gnu::weak]] constinit Spinlock assigned_lock{LockRank::assigned};
[[gnu::weak]] std::span<AssignedDevice> all_devices() { return {}; }
[[gnu::weak]] AssignedDevice* device_of(const Partition&, uint32_t) { return nullptr; }
[[gnu::weak]] bool owns_devices(const Partition&) { return false; }
[[gnu::weak]] uint64_t device_entry(const Partition&, uint64_t) { return 0; }
[[gnu::weak]] void open_devices(Partition&) {}
[[gnu::weak]] void silence_devices(Partition&) {}
[[gnu::weak]] bool close_devices(Partition&, uint64_t) { return true; }
[[gnu::weak]] Result<> bind_device_interrupt(Partition&, uint32_t, uint32_t, CpuNumber) { return fail(XEN_EINVAL); }
[[gnu::weak]] void move_device_interrupt(Partition&, uint32_t, CpuNumber) {}
[[gnu::weak]] void unbind_device_interrupt(Partition&, uint32_t) {}
[[gnu::weak]] Result<uint32_t> map_device_interrupt(Partition&, AssignedDevice&, InterruptKind, uint32_t)
{
    return fail(XEN_ENODEV);
}
[[gnu::weak]] Result<> unmap_device_interrupt(Partition&, uint32_t) { return fail(XEN_EINVAL); }
[[gnu::weak]] Result<> end_device_interrupt(Partition&, uint32_t) { return fail(XEN_EINVAL); }
[[gnu::weak]] Result<bool> device_interrupt_is_line(Partition&, uint32_t) { return fail(XEN_EINVAL); }

[[gnu::weak]] long device_op(Partition&, uint32_t, GuestVirtual) { return negative(XEN_ENODEV); }
[[gnu::weak]] uint64_t device_interrupts(const AssignedDevice&) { return 0; }
[[gnu::weak]] IommuState iommu_state() { return {}; }

}  // namespace bulkhead
