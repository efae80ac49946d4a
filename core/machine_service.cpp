// SPDX-License-Identifier: BSD-2-Clause
// The mailbox between a hardware partition's vCPUs and its machine service, and the service's turns. A
// question stays in the page until it has been answered, whatever happens to the service meanwhile.
#include "core/boot_allocator.hpp"
#include "core/frames.hpp"
#include "core/hardware.hpp"
#include "core/schedule.hpp"
#include "core/services.hpp"
#include "machine/memory.hpp"
#include "machine/nospec.hpp"
#include "pvdrivers/abi/bulkhead.h"
#include "pvdrivers/abi/machine.h"

#include <atomic>
#include <bit>

namespace bulkhead {

namespace {

static_assert(sizeof(bulkhead_instruction) == 32 && sizeof(bulkhead_machine_info) == 16);
static_assert(sizeof(bulkhead_machine_page) == 32 + 32 * BULKHEAD_MACHINE_SLOTS);
static_assert(sizeof(bulkhead_machine_page) <= page_size && BULKHEAD_MACHINE_SLOTS >= plan::max_vcpus);

constexpr unsigned first_machine = BULKHEAD_DOMAIN_MACHINE - plan::first_service_domain;

// Seq_cst, so that a service that holds itself and a vCPU that asks see each other.
bool somebody_waits(MachineService& machine)
{
    return std::atomic_ref(machine.page->waiting).load(std::memory_order_seq_cst) != 0;
}

long take_answer(MachineService& machine, uint32_t slot, uint64_t answer)
{
    const std::span<Vcpu> vcpus = machine.client->vcpus;
    if (slot >= vcpus.size())
        return negative(XEN_EINVAL);
    const size_t index = machine::nospec_index(slot, vcpus.size());
    const uint32_t bit = 1u << index;
    // Before the answer: a vCPU that finds it unfit asks again, and that must not be lost.
    if ((std::atomic_ref(machine.page->waiting).fetch_and(~bit, std::memory_order_seq_cst) & bit) == 0)
        return negative(XEN_EINVAL);
    hardware_operations.machine_answer(vcpus[index], answer);
    return 0;
}

}  // namespace

Partition* machine_service_of(const Partition& partition)
{
    const unsigned machines = partition.plan->services >> first_machine;
    if (machines == 0)
        return nullptr;
    const auto domain = static_cast<uint16_t>(BULKHEAD_DOMAIN_MACHINE + std::countr_zero(machines));
    Partition* service = find_partition(DomainId(domain));
    return service != nullptr && service->service.machine.client == &partition ? service : nullptr;
}

void init_machine_service(Partition& service)
{
    for (Partition& client : all_partitions()) {
        if (client.hardware == nullptr || !is_client_of(client, service))
            continue;
        MachineService& machine = service.service.machine;
        machine.client = &client;
        machine.frame = boot_allocate_frame();
        machine.page = machine::frame_pointer<bulkhead_machine_page>(machine.frame);
        init_shared_frame(machine.frame, service.id, SharedAccess::read_only);
        return;
    }
}

void machine_service_changed(const Partition& service)
{
    for (Vcpu& vcpu : service.service.machine.client->vcpus)
        release(vcpu, hold_machine);
}

long machine_page(const Partition& service, GuestVirtual argument)
{
    const MachineService& machine = service.service.machine;
    if (machine.client == nullptr)
        return negative(XEN_EPERM);
    const bulkhead_machine_info info{machine.frame.raw(), static_cast<uint32_t>(machine.client->vcpus.size()), 0};
    return machine::write_guest(argument, info) ? 0 : negative(XEN_EFAULT);
}

long machine_turn(Vcpu& vcpu, uint32_t slot, uint64_t answer)
{
    MachineService& machine = vcpu.partition->service.machine;
    if (machine.client == nullptr)
        return negative(XEN_EPERM);
    const long result = slot == BULKHEAD_NO_SLOT ? 0 : take_answer(machine, slot, answer);
    if (result != 0 || somebody_waits(machine))
        return result;
    hold(vcpu, hold_blocked);
    // Who has asked in between has found nothing to release.
    if (somebody_waits(machine))
        release(vcpu, hold_blocked);
    return result;
}

}  // namespace bulkhead
