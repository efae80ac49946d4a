// SPDX-License-Identifier: BSD-2-Clause
// See devices.hpp. What follows start-up; the search is in search.cpp.
#include "core/devices/devices.hpp"

#include "core/devices/interrupts.hpp"
#include "core/devices/search.hpp"
#include "core/log.hpp"
#include "core/pv/page_table.hpp"

namespace bulkhead {

constinit Spinlock assigned_lock{LockRank::assigned};

namespace {

constexpr uint64_t rest_wait_ns = 100'000'000;
constexpr uint32_t most_faults = 64;         // of one life, then the device is cut off

bool is_within(const FrameRange& range, Mfn frame)
{
    return frame >= range.first && frame - range.first.raw() < Mfn(range.count);
}

bool is_open_frame(const AssignedDevice& device, Mfn frame)
{
    for (const DeviceFrames& bar : device.frames) {
        if (is_within(bar.all, frame))
            return !is_within(bar.closed, frame);
    }
    return false;
}

// Silent already. True: it is at rest, or nothing more can be done about it.
bool came_to_rest(AssignedDevice& device, uint64_t waited_ns)
{
    if (!device.reset_tried && pci_is_idle(*device.function, device.facts))
        return true;
    if (waited_ns < rest_wait_ns)
        return false;
    if (!device.reset_tried) {
        device.reset_tried = true;
        return !pci_start_reset(*device.function, device.facts);
    }
    if (waited_ns < rest_wait_ns + pci_reset_ns)
        return false;
    pci_restore(*device.function);
    return true;
}

}  // namespace

AssignedDevice* device_of(const Partition& owner, uint32_t number)
{
    for (AssignedDevice& device : all_devices()) {
        if (device.owner == &owner && device.plan->number == number)
            return &device;
    }
    return nullptr;
}

bool owns_devices(const Partition& partition)
{
    for (const AssignedDevice& device : all_devices()) {
        if (device.owner == &partition)
            return true;
    }
    return false;
}

uint64_t device_entry(const Partition& partition, uint64_t value)
{
    constexpr uint64_t kept = pte::address | pte::present | pte::writable | pte::accessed | pte::dirty | pte::available |
                              pte::no_execute;
    for (const AssignedDevice& device : all_devices()) {
        if (device.owner == &partition && device.function != nullptr && is_open_frame(device, pte::frame(value)))
            return (value & kept) | pte::user | pte::device | pte::uncached;
    }
    return 0;
}

Result<> set_device_dma(AssignedDevice& device, bool on)
{
    if (device.function == nullptr)
        return fail(XEN_ENODEV);
    const LockGuard guard(assigned_lock);
    if (on && device.cut_off.load(std::memory_order_relaxed))
        return fail(XEN_EACCES);
    if (!device.open)
        return fail(XEN_EPERM);
    pci_master(device.function->address, on);
    return {};
}

void open_devices(Partition& partition)
{
    for (AssignedDevice& device : all_devices()) {
        if (device.owner != &partition || device.function == nullptr)
            continue;
        forget_device_interrupts(device);
        const LockGuard guard(assigned_lock);
        device.open = true;
        device.reset_tried = false;
        device.faults.store(0, std::memory_order_relaxed);
        device.cut_off.store(false, std::memory_order_relaxed);
        pci_open(device.function->address);
    }
}

void silence_devices(Partition& partition)
{
    for (AssignedDevice& device : all_devices()) {
        if (device.owner != &partition || !device.open)
            continue;
        const LockGuard guard(assigned_lock);
        device.open = false;
        pci_open(device.function->address);
        if (device.function->msi != 0)
            msi_disable(*device.function);
        if (device.function->msix != 0)
            msix_mask_all(*device.function);
    }
}

bool close_devices(Partition& partition, uint64_t waited_ns)
{
    bool all_rest = true;
    for (AssignedDevice& device : all_devices()) {
        if (device.owner != &partition || device.function == nullptr)
            continue;
        const bool was_reset = device.reset_tried;
        if (!came_to_rest(device, waited_ns))
            all_rest = false;
        if (!was_reset && device.reset_tried)
            log("%s: its device %02x:%02x.%x does not come to rest; %s", partition.name(),
                pci_bus(device.function->address), pci_device(device.function->address),
                pci_function(device.function->address),
                device.facts.function_reset ? "it is reset" : "it has no reset of its own, and is left silent");
    }
    return all_rest;
}

void device_faulted(AssignedDevice& device)
{
    if (device.faults.fetch_add(1, std::memory_order_relaxed) + 1 < most_faults)
        return;
    const LockGuard guard(assigned_lock);
    device.cut_off.store(true, std::memory_order_relaxed);
    pci_master(device.function->address, false);
}

}  // namespace bulkhead
