// SPDX-License-Identifier: BSD-2-Clause
// See interrupts.hpp.
#include "core/devices/interrupts.hpp"

#include "core/cpu.hpp"
#include "core/devices/devices.hpp"
#include "core/event_table.hpp"
#include "machine/nospec.hpp"
#include "platform/x86/io_apic.hpp"
#include "platform/x86/iommu.hpp"
#include "platform/x86/vectors.hpp"

#include <algorithm>
#include <array>

namespace bulkhead {

namespace {

constexpr uint32_t most_interrupts = vector_last_assigned - vector_first_assigned + 1;
constexpr uint16_t most_a_device = 32;

struct DeviceInterrupt {
    AssignedDevice* device;             // null: the place is free
    InterruptKind kind;
    uint16_t entry;                     // of MSI-X
    bool mapped;
    std::atomic<uint32_t> port;         // 0: not bound; written under the owner's events lock
    bool waits;                         // of a line: it came, the guest has yet to see to it
    std::atomic<uint64_t> count;
};

constinit std::array<DeviceInterrupt, most_interrupts> interrupts{};
constinit uint32_t used{0};
constexpr uint8_t vector_of(uint32_t number) { return static_cast<uint8_t>(vector_first_assigned + number); }

void add(AssignedDevice& device, InterruptKind kind, uint16_t entry)
{
    if (used == most_interrupts)
        return;
    interrupts[used].device = &device;
    interrupts[used].kind = kind;
    interrupts[used].entry = entry;
    ++used;
}

// A number that a guest gives, checked once; null: it has no such interrupt.
DeviceInterrupt* find(const Partition& owner, uint32_t number)
{
    if (number >= used)
        return nullptr;
    DeviceInterrupt& found = interrupts[machine::nospec_index(number, used)];
    return found.mapped && found.device->owner == &owner ? &found : nullptr;
}

uint32_t number_of(const DeviceInterrupt& interrupt) { return static_cast<uint32_t>(&interrupt - interrupts.data()); }

bool same_line(const DeviceInterrupt& one, const DeviceInterrupt& other)
{
    return one.kind == InterruptKind::line && other.kind == InterruptKind::line &&
           one.device->line.gsi == other.device->line.gsi;
}

// --- The hardware's side; the table's lock is held ------------------------------------------------------

void silence(const DeviceInterrupt& interrupt)
{
    const AssignedDevice& device = *interrupt.device;
    switch (interrupt.kind) {
    case InterruptKind::msix: msix_mask(device.msix_table, interrupt.entry); break;
    case InterruptKind::msi: msi_disable(*device.function); break;
    case InterruptKind::line: pci_use_line(device.function->address, false); break;
    }
    if (interrupt.kind != InterruptKind::line)
        iommu_forget_interrupt(device.function->address, number_of(interrupt));
}

// Nobody whose device shares the line has yet to see to it.
void unmask_if_done(const DeviceInterrupt& interrupt)
{
    bool bound = false;
    for (uint32_t i = 0; i < used; ++i) {
        if (!same_line(interrupts[i], interrupt))
            continue;
        if (interrupts[i].waits)
            return;
        bound = bound || interrupts[i].port.load(std::memory_order_relaxed) != 0;
    }
    if (bound)
        unmask_line(interrupt.device->line.gsi);
}

bool send_to(const DeviceInterrupt& interrupt, CpuNumber cpu)
{
    const AssignedDevice& device = *interrupt.device;
    const uint32_t apic_id = cpu_by_number(cpu).machine.apic_id;
    const uint32_t number = number_of(interrupt);
    if (interrupt.kind == InterruptKind::line)
        return route_level_line(device.line.gsi, device.line.active_low, vector_of(number), apic_id);
    InterruptMessage message{};
    if (!iommu_interrupt_message(device.function->address, number, vector_of(number), apic_id, message))
        return false;
    if (interrupt.kind == InterruptKind::msix) {
        msix_write(device.msix_table, interrupt.entry, message);
        msix_enable(*device.function, true);
    } else {
        msi_enable(*device.function, device.facts, message);
    }
    return true;
}

void came(DeviceInterrupt& interrupt)
{
    interrupt.count.fetch_add(1, std::memory_order_relaxed);
    Partition& owner = *interrupt.device->owner;
    const LockGuard guard(owner.events.lock);
    const uint32_t port = interrupt.port.load(std::memory_order_relaxed);
    if (port == 0)
        return;
    const EventChannel channel = load_channel(owner.events, port);
    raise_event(owner, port, owner.vcpus[channel.vcpu]);
}

// The line is masked until all who share it have seen to their devices.
void line_came(const DeviceInterrupt& first)
{
    mask_line(first.device->line.gsi);
    for (uint32_t i = 0; i < used; ++i) {
        DeviceInterrupt& each = interrupts[i];
        if (!same_line(each, first))
            continue;
        {
            const LockGuard guard(assigned_lock);
            each.waits = each.port.load(std::memory_order_relaxed) != 0;
        }
        came(each);
    }
}

}  // namespace

void add_device_interrupts(AssignedDevice& device)
{
    device.first_interrupt = static_cast<uint16_t>(used);
    const uint32_t free = most_interrupts - used;
    if (device.msix_table != nullptr) {
        device.msix_count = static_cast<uint16_t>(std::min({uint32_t{device.facts.msix_count}, uint32_t{most_a_device}, free}));
        for (uint16_t entry = 0; entry < device.msix_count; ++entry)
            add(device, InterruptKind::msix, entry);
        for (unsigned entry = 0; entry < device.facts.msix_count; ++entry)
            msix_mask(device.msix_table, entry);
    }
    if (device.function->msi != 0)
        add(device, InterruptKind::msi, 0);
    if (device.has_line)
        add(device, InterruptKind::line, 0);
}

Result<uint32_t> map_device_interrupt(Partition& owner, AssignedDevice& device, InterruptKind kind, uint32_t entry)
{
    const LockGuard guard(assigned_lock);
    for (uint32_t number = device.first_interrupt; number < used; ++number) {
        DeviceInterrupt& interrupt = interrupts[number];
        if (interrupt.device != &device || interrupt.kind != kind || interrupt.entry != entry)
            continue;
        if (device.owner != &owner)
            return fail(XEN_EPERM);
        interrupt.mapped = true;
        return number;
    }
    return fail(XEN_ENODEV);
}

Result<> unmap_device_interrupt(Partition& owner, uint32_t number)
{
    const LockGuard guard(assigned_lock);
    DeviceInterrupt* interrupt = find(owner, number);
    if (interrupt == nullptr)
        return fail(XEN_EINVAL);
    if (interrupt->port.load(std::memory_order_relaxed) != 0)
        return fail(XEN_EBUSY);
    interrupt->mapped = false;
    return {};
}

Result<> end_device_interrupt(Partition& owner, uint32_t number)
{
    const LockGuard guard(assigned_lock);
    DeviceInterrupt* interrupt = find(owner, number);
    if (interrupt == nullptr)
        return fail(XEN_EINVAL);
    if (!interrupt->waits)
        return {};
    interrupt->waits = false;
    unmask_if_done(*interrupt);
    return {};
}

Result<bool> device_interrupt_is_line(Partition& owner, uint32_t number)
{
    const LockGuard guard(assigned_lock);
    const DeviceInterrupt* interrupt = find(owner, number);
    if (interrupt == nullptr)
        return fail(XEN_EINVAL);
    return interrupt->kind == InterruptKind::line;
}

Result<> bind_device_interrupt(Partition& owner, uint32_t number, uint32_t port, CpuNumber cpu)
{
    const LockGuard guard(assigned_lock);
    DeviceInterrupt* interrupt = find(owner, number);
    if (interrupt == nullptr)
        return fail(XEN_EINVAL);
    if (interrupt->port.load(std::memory_order_relaxed) != 0)
        return fail(XEN_EEXIST);
    interrupt->port.store(port, std::memory_order_release);
    if (!send_to(*interrupt, cpu)) {
        interrupt->port.store(0, std::memory_order_relaxed);
        return fail(XEN_ENOSPC);
    }
    interrupt->waits = false;
    if (interrupt->kind == InterruptKind::line) {
        pci_use_line(interrupt->device->function->address, true);
        unmask_if_done(*interrupt);
    }
    return {};
}

void move_device_interrupt(Partition& owner, uint32_t number, CpuNumber cpu)
{
    const LockGuard guard(assigned_lock);
    DeviceInterrupt* interrupt = find(owner, number);
    if (interrupt == nullptr || interrupt->port.load(std::memory_order_relaxed) == 0)
        return;
    if (send_to(*interrupt, cpu) && interrupt->kind == InterruptKind::line)
        unmask_if_done(*interrupt);
}

void unbind_device_interrupt(Partition& owner, uint32_t number)
{
    const LockGuard guard(assigned_lock);
    DeviceInterrupt* interrupt = find(owner, number);
    if (interrupt == nullptr)
        return;
    silence(*interrupt);
    interrupt->port.store(0, std::memory_order_relaxed);
    interrupt->waits = false;
    if (interrupt->kind == InterruptKind::line) {
        mask_line(interrupt->device->line.gsi);
        unmask_if_done(*interrupt);
    }
}

void device_interrupt(uint8_t vector)
{
    const uint32_t number = vector - uint32_t{vector_first_assigned};
    if (vector < vector_first_assigned || number >= used)
        return;
    DeviceInterrupt& interrupt = interrupts[number];
    if (interrupt.kind == InterruptKind::line)
        line_came(interrupt);
    else
        came(interrupt);
}

void forget_device_interrupts(const AssignedDevice& device)
{
    const LockGuard guard(assigned_lock);
    for (uint32_t number = 0; number < used; ++number) {
        if (interrupts[number].device == &device)
            interrupts[number].mapped = false;
    }
}

uint64_t device_interrupts(const AssignedDevice& device)
{
    uint64_t sum = 0;
    for (uint32_t number = 0; number < used; ++number) {
        if (interrupts[number].device == &device)
            sum += interrupts[number].count.load(std::memory_order_relaxed);
    }
    return sum;
}

}  // namespace bulkhead
