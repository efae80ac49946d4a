// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_physdev_op: I/O permission of a vCPU, and interrupts of the devices that the plan gives the
// partition. Source: xen/include/public/physdev.h.
#include "core/devices/interrupts.hpp"
#include "core/devices/devices.hpp"
#include "core/hypercall.hpp"
#include "machine/memory.hpp"
#include "platform/x86/layout.hpp"

extern "C" {
#include <xen/physdev.h>
}

namespace bulkhead {

namespace {

constexpr uint32_t port_count = 0x10000;

Result<> set_iopl(Vcpu& vcpu, GuestVirtual argument)
{
    physdev_set_iopl request;
    if (!machine::read_guest(request, argument))
        return fail(XEN_EFAULT);
    if (request.iopl > 3)
        return fail(XEN_EINVAL);
    vcpu.pv.iopl = static_cast<uint8_t>(request.iopl);
    return {};
}

Result<> set_iobitmap(Vcpu& vcpu, GuestVirtual argument)
{
    physdev_set_iobitmap request;
    if (!machine::read_guest(request, argument))
        return fail(XEN_EFAULT);
    const auto address = reinterpret_cast<uint64_t>(request.bitmap.p);
    if (request.nr_ports > port_count || !layout::guest_range_ok(address, (request.nr_ports + 7) / 8))
        return fail(XEN_EINVAL);
    vcpu.pv.io_bitmap = address;
    vcpu.pv.io_bitmap_ports = request.nr_ports;
    return {};
}

// The function at an address, if it is the partition's. Segments but 0 hold none of them.
AssignedDevice* find_device(const Partition& self, int segment_and_bus, int devfn)
{
    if (segment_and_bus < 0 || segment_and_bus > 0xff || devfn < 0 || devfn > 0xff)
        return nullptr;
    const PciAddress address(static_cast<uint16_t>(segment_and_bus << 8 | devfn));
    for (AssignedDevice& device : all_devices()) {
        if (device.owner == &self && device.function != nullptr && device.function->address == address)
            return &device;
    }
    return nullptr;
}

Result<uint32_t> find_and_map(Partition& self, const physdev_map_pirq& request)
{
    if (request.domid != DOMID_SELF && request.domid != self.id.raw())
        return fail(XEN_EPERM);
    if (request.type != MAP_PIRQ_TYPE_GSI && request.type != MAP_PIRQ_TYPE_MSI && request.type != MAP_PIRQ_TYPE_MSI_SEG)
        return fail(XEN_EINVAL);
    AssignedDevice* device = find_device(self, request.bus, request.devfn);
    if (device == nullptr)
        return fail(XEN_ENODEV);
    if (request.type == MAP_PIRQ_TYPE_GSI) {
        if (!device->has_line || request.index != static_cast<int>(device->line.gsi))
            return fail(XEN_EINVAL);
        return map_device_interrupt(self, *device, InterruptKind::line, 0);
    }
    if (request.table_base == 0)
        return map_device_interrupt(self, *device, InterruptKind::msi, 0);
    return map_device_interrupt(self, *device, InterruptKind::msix, static_cast<uint32_t>(request.entry_nr));
}

long map_pirq(Partition& self, GuestVirtual argument)
{
    physdev_map_pirq request;
    if (!machine::read_guest(request, argument))
        return negative(XEN_EFAULT);
    const Result<uint32_t> number = find_and_map(self, request);
    if (!number.has_value())
        return negative(number.error());
    // The core chooses the numbers.
    if (request.pirq >= 0 && static_cast<uint32_t>(request.pirq) != *number)
        return negative(XEN_EEXIST);
    request.pirq = static_cast<int>(*number);
    return machine::write_guest(argument, request) ? 0 : negative(XEN_EFAULT);
}

Result<> unmap_pirq(Partition& self, GuestVirtual argument)
{
    physdev_unmap_pirq request;
    if (!machine::read_guest(request, argument))
        return fail(XEN_EFAULT);
    if (request.domid != DOMID_SELF && request.domid != self.id.raw())
        return fail(XEN_EPERM);
    return unmap_device_interrupt(self, static_cast<uint32_t>(request.pirq));
}

Result<> eoi(Partition& self, GuestVirtual argument)
{
    physdev_eoi request;
    if (!machine::read_guest(request, argument))
        return fail(XEN_EFAULT);
    return end_device_interrupt(self, request.irq);
}

long status_query(Partition& self, GuestVirtual argument)
{
    physdev_irq_status_query request;
    if (!machine::read_guest(request, argument))
        return negative(XEN_EFAULT);
    const Result<bool> is_line = device_interrupt_is_line(self, request.irq);
    if (!is_line.has_value())
        return negative(is_line.error());
    request.flags = *is_line ? XENIRQSTAT_needs_eoi | XENIRQSTAT_shared : 0;
    return machine::write_guest(argument, request) ? 0 : negative(XEN_EFAULT);
}

// Without devices no number is valid, and none is to be had.
long interrupt_operation(Partition& self, int operation, GuestVirtual argument)
{
    if (!owns_devices(self))
        return negative(operation == PHYSDEVOP_map_pirq ? XEN_EPERM : XEN_EINVAL);
    switch (operation) {
    case PHYSDEVOP_map_pirq:
        return map_pirq(self, argument);
    case PHYSDEVOP_unmap_pirq:
        return to_return_value(unmap_pirq(self, argument));
    case PHYSDEVOP_eoi:
        return to_return_value(eoi(self, argument));
    default:
        return status_query(self, argument);
    }
}

}  // namespace

long do_physdev_op(Vcpu& vcpu, HypercallArguments& arguments)
{
    const GuestVirtual argument(arguments.value[1]);
    switch (static_cast<int>(arguments.value[0])) {
    case PHYSDEVOP_set_iopl:
        return to_return_value(set_iopl(vcpu, argument));
    case PHYSDEVOP_set_iobitmap:
        return to_return_value(set_iobitmap(vcpu, argument));
    case PHYSDEVOP_map_pirq:
    case PHYSDEVOP_unmap_pirq:
    case PHYSDEVOP_eoi:
    case PHYSDEVOP_irq_status_query:
        return interrupt_operation(*vcpu.partition, static_cast<int>(arguments.value[0]), argument);
    // Whoever owns the machine's devices.
    case PHYSDEVOP_apic_read:
    case PHYSDEVOP_apic_write:
    case PHYSDEVOP_alloc_irq_vector:
    case PHYSDEVOP_manage_pci_add:
    case PHYSDEVOP_manage_pci_remove:
    case PHYSDEVOP_manage_pci_add_ext:
    case PHYSDEVOP_restore_msi:
    case PHYSDEVOP_restore_msi_ext:
    case PHYSDEVOP_setup_gsi:
    case PHYSDEVOP_pci_mmcfg_reserved:
    case PHYSDEVOP_pci_device_add:
    case PHYSDEVOP_pci_device_remove:
    case PHYSDEVOP_prepare_msix:
    case PHYSDEVOP_release_msix:
    case PHYSDEVOP_dbgp_op:
        return negative(XEN_EPERM);
    default:
        return negative(XEN_ENOSYS);
    }
}

}  // namespace bulkhead
