// SPDX-License-Identifier: BSD-2-Clause
// __HYPERVISOR_arch_2: what the Xen ABI has no word for. Source: pvdrivers/abi/bulkhead.h.
#include "core/devices/device_op.hpp"
#include "core/hypercall.hpp"
#include "core/partition.hpp"
#include "core/questions.hpp"
#include "core/services.hpp"
#include "machine/memory.hpp"
#include "pvdrivers/abi/bulkhead.h"

namespace bulkhead {

namespace {

long service_info(const Partition& self, GuestVirtual argument)
{
    const ServiceState& service = self.service;
    if (service.clients == nullptr)
        return negative(XEN_EPERM);
    const bulkhead_service_info info{
        .clients_mfn = service.clients_frame.raw(),
        .clients = static_cast<uint32_t>(all_partitions().size()),
        .life = self.generation,
        .flags = self.memory.region_was_kept ? BULKHEAD_SERVICE_REGION_KEPT : 0,
        .reserved = 0,
    };
    return machine::write_guest(argument, info) ? 0 : negative(XEN_EFAULT);
}

}  // namespace

long do_bulkhead_op(Vcpu& vcpu, HypercallArguments& arguments)
{
    const auto operation = static_cast<uint32_t>(arguments.value[0]);
    if (operation == BULKHEADOP_service_info)
        return service_info(*vcpu.partition, GuestVirtual(arguments.value[1]));
    if (operation == BULKHEADOP_machine_turn)
        return machine_turn(vcpu, static_cast<uint32_t>(arguments.value[1]), arguments.value[2]);
    if (operation == BULKHEADOP_machine_page)
        return machine_page(*vcpu.partition, GuestVirtual(arguments.value[1]));
    if (operation >= BULKHEADOP_device_info && operation <= BULKHEADOP_device_config_write)
        return device_op(*vcpu.partition, operation, GuestVirtual(arguments.value[1]));
    return answer_question(*vcpu.partition, operation, GuestVirtual(arguments.value[1]));
}

}  // namespace bulkhead
