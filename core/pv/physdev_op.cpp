// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_physdev_op: I/O permission of a vCPU. Partitions have no physical interrupts and no
// devices, so the rest is refused. Source: xen/include/public/physdev.h.
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

}  // namespace

long do_physdev_op(Vcpu& vcpu, HypercallArguments& arguments)
{
    const GuestVirtual argument(arguments.value[1]);
    switch (static_cast<int>(arguments.value[0])) {
    case PHYSDEVOP_set_iopl:
        return to_return_value(set_iopl(vcpu, argument));
    case PHYSDEVOP_set_iobitmap:
        return to_return_value(set_iobitmap(vcpu, argument));
    // No physical interrupt has such a number.
    case PHYSDEVOP_eoi:
    case PHYSDEVOP_irq_status_query:
    case PHYSDEVOP_unmap_pirq:
        return negative(XEN_EINVAL);
    // Whoever owns the machine's devices.
    case PHYSDEVOP_apic_read:
    case PHYSDEVOP_apic_write:
    case PHYSDEVOP_alloc_irq_vector:
    case PHYSDEVOP_map_pirq:
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
