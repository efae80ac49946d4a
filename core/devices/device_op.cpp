// SPDX-License-Identifier: BSD-2-Clause
// See device_op.hpp.
#include "core/devices/device_op.hpp"

#include "core/devices/devices.hpp"
#include "core/hypercall.hpp"
#include "machine/memory.hpp"
#include "pvdrivers/abi/bulkhead.h"

#include <cstdio>

namespace bulkhead {

namespace {

static_assert(sizeof(bulkhead_device_bar) == 32 && sizeof(bulkhead_device_info) == 360);
static_assert(sizeof(bulkhead_device_dma) == 8 && sizeof(bulkhead_device_config) == 12);

Result<AssignedDevice*> find(const Partition& self, uint32_t number)
{
    if (!owns_devices(self))
        return fail(XEN_EPERM);
    AssignedDevice* device = device_of(self, number);
    if (device == nullptr)
        return fail(XEN_ENOENT);
    return device;
}

bulkhead_device_bar describe_bar(const AssignedDevice& device, unsigned number)
{
    const DeviceFrames& frames = device.frames[number];
    if (frames.all.count == 0)
        return {};
    bulkhead_device_bar bar{device.function->bars[number].base, device.facts.bar_bytes[number], 0, 0};
    if (frames.closed.count != 0) {
        bar.closed_offset = address_of(frames.closed.first).raw() - bar.address;
        bar.closed_bytes = frames.closed.count << page_shift;
    }
    return bar;
}

void describe_function(const AssignedDevice& device, bulkhead_device_info& info)
{
    const PciFunction& function = *device.function;
    info.flags = BULKHEAD_DEVICE_PRESENT | (device.confined ? BULKHEAD_DEVICE_CONFINED : 0) |
                 (device.remapped ? BULKHEAD_DEVICE_REMAPPED : 0);
    info.vendor = function.vendor;
    info.device = function.device;
    info.subsystem_vendor = device.facts.subsystem_vendor;
    info.subsystem = device.facts.subsystem;
    info.class_code = function.class_code;
    info.address = function.address.raw();
    info.revision = function.revision;
    info.msi_vectors = function.msi != 0 ? 1 : 0;
    info.msix_vectors = device.msix_count;
    info.line = device.has_line ? static_cast<int32_t>(device.line.gsi) : -1;
    for (unsigned i = 0; i < device.frames.size(); ++i)
        info.bars[i] = describe_bar(device, i);
}

Result<> device_info(Partition& self, bulkhead_device_info& info)
{
    const AssignedDevice& device = *TRY(find(self, info.index));
    const plan::Partition& plan = *self.plan;
    const uint32_t index = info.index;
    info = {};
    info.index = index;
    info.line = -1;
    if (plan.dma_frames != 0) {
        info.dma_address = address_of(initial_frame(self.memory, Pfn(plan.dma_pfn))).raw();
        info.dma_bytes = plan.dma_frames << page_shift;
    }
    if (device.function != nullptr)
        describe_function(device, info);
    else
        snprintf(info.why, sizeof(info.why), "%s", device.why);
    return {};
}

Result<> device_dma(Partition& self, bulkhead_device_dma& request)
{
    AssignedDevice& device = *TRY(find(self, request.index));
    if (request.on > 1)
        return fail(XEN_EINVAL);
    return set_device_dma(device, request.on != 0);
}

Result<> check_access(const AssignedDevice& device, const bulkhead_device_config& access)
{
    constexpr uint16_t config_bytes = 4096;
    if (device.function == nullptr)
        return fail(XEN_ENODEV);
    const bool width_ok = access.width == 1 || access.width == 2 || access.width == 4;
    if (!width_ok || access.offset % access.width != 0 || access.offset >= config_bytes)
        return fail(XEN_EINVAL);
    return {};
}

Result<> config_read(Partition& self, bulkhead_device_config& access)
{
    const AssignedDevice& device = *TRY(find(self, access.index));
    TRY_VOID(check_access(device, access));
    const uint32_t whole = pci_read32(device.function->address, access.offset & 0xFFCu);
    const unsigned shift = (access.offset & 3u) * 8;
    const uint32_t mask = access.width == 4 ? ~0u : (1u << access.width * 8) - 1;
    access.value = whole >> shift & mask;
    return {};
}

// Capabilities of vendors are ways to anything, BARs and MSI-X included. So what can be written is what
// forgets errors that have happened.
Result<> config_write(Partition& self, bulkhead_device_config& access)
{
    constexpr uint16_t status = 0x06;
    constexpr uint16_t express_device_status = 0x0A;
    const AssignedDevice& device = *TRY(find(self, access.index));
    TRY_VOID(check_access(device, access));
    const uint8_t express = device.facts.express;
    const bool is_status = access.offset == status || (express != 0 && access.offset == express + express_device_status);
    if (!is_status || access.width != 2)
        return fail(XEN_EACCES);
    const LockGuard guard(assigned_lock);
    pci_write16(device.function->address, access.offset, static_cast<uint16_t>(access.value));
    return {};
}

template <class Record>
long run(Partition& self, GuestVirtual argument, Result<> (*operation)(Partition&, Record&))
{
    Record record;
    if (!machine::read_guest(record, argument))
        return negative(XEN_EFAULT);
    if (const Result<> result = operation(self, record); !result.has_value())
        return negative(result.error());
    return machine::write_guest(argument, record) ? 0 : negative(XEN_EFAULT);
}

}  // namespace

long device_op(Partition& self, uint32_t operation, GuestVirtual argument)
{
    switch (operation) {
    case BULKHEADOP_device_info:
        return run(self, argument, device_info);
    case BULKHEADOP_device_dma:
        return run(self, argument, device_dma);
    case BULKHEADOP_device_config_read:
        return run(self, argument, config_read);
    case BULKHEADOP_device_config_write:
        return run(self, argument, config_write);
    default:
        return negative(XEN_ENOSYS);
    }
}

}  // namespace bulkhead
