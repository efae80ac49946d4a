// SPDX-License-Identifier: BSD-2-Clause
// Hypercalls of hardware guests: those of PV that make sense for them, with the same handlers, and
// those that only they have. Numbers that are not listed do not exist for them.
#include "core/domain_argument.hpp"
#include "core/grant_operations.hpp"
#include "core/hypercall_table.hpp"
#include "core/log.hpp"
#include "core/memory_map_reply.hpp"
#include "core/multicall.hpp"
#include "core/partition.hpp"
#include "hvm/cpu/exits.hpp"
#include "hvm/cpu/nested_paging.hpp"
#include "machine/memory.hpp"
#include "machine/nospec.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

extern "C" {
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
}

namespace bulkhead {

namespace {

constexpr uint64_t hypercall_bytes = 3;                 // VMMCALL, VMCALL

constexpr uint64_t numbers(std::initializer_list<unsigned> list)
{
    uint64_t bits = 0;
    for (unsigned number : list)
        bits |= uint64_t{1} << number;
    return bits;
}

// The handlers of the common table.
constexpr uint64_t shared_with_pv
    = numbers({__HYPERVISOR_xen_version, __HYPERVISOR_console_io, __HYPERVISOR_grant_table_op, __HYPERVISOR_vm_assist,
               __HYPERVISOR_vcpu_op, __HYPERVISOR_sched_op, __HYPERVISOR_event_channel_op,
               __HYPERVISOR_set_timer_op});

// --- HVMOP_* ---------------------------------------------------------------------------------------

long get_parameter(const Partition& partition, xen_hvm_param_t& parameter)
{
    const plan::Partition& plan = *partition.plan;
    switch (parameter.index) {
    case HVM_PARAM_CALLBACK_IRQ:
        parameter.value = partition.hardware->callback_parameter;
        return 0;
    case HVM_PARAM_CONSOLE_PFN:
        parameter.value = plan.pv.console_pfn;
        return 0;
    case HVM_PARAM_CONSOLE_EVTCHN:
        parameter.value = plan.console_port;
        return 0;
    case HVM_PARAM_STORE_PFN:
        parameter.value = plan.pv.store_pfn == plan::no_pfn ? 0 : plan.pv.store_pfn;
        return 0;
    case HVM_PARAM_STORE_EVTCHN:
        parameter.value = plan.store_port;
        return 0;
    default:
        return negative(XEN_EINVAL);
    }
}

// Only the call-back by vector: there is no interrupt controller and no PCI.
long set_callback(Partition& partition, uint64_t value)
{
    constexpr uint64_t by_vector = HVM_PARAM_CALLBACK_TYPE_VECTOR;
    const auto vector = static_cast<uint8_t>(value);
    if (value != 0 && (value >> 56 != by_vector || vector < 16))
        return negative(XEN_EINVAL);
    partition.hardware->callback_parameter = value;
    partition.hardware->callback_vector = vector;
    return 0;
}

long do_parameter(Vcpu& vcpu, uint64_t operation, GuestVirtual argument)
{
    xen_hvm_param_t parameter;
    if (!machine::read_guest(parameter, argument))
        return negative(XEN_EFAULT);
    if (const Result<> own = check_self(*vcpu.partition, parameter.domid); !own.has_value())
        return negative(own.error());
    if (operation == HVMOP_set_param) {
        return parameter.index == HVM_PARAM_CALLBACK_IRQ ? set_callback(*vcpu.partition, parameter.value)
                                                         : negative(XEN_EPERM);
    }
    const long result = get_parameter(*vcpu.partition, parameter);
    if (result != 0)
        return result;
    return machine::write_guest(argument, parameter) ? 0 : negative(XEN_EFAULT);
}

long set_upcall_vector(Vcpu& vcpu, GuestVirtual argument)
{
    xen_hvm_evtchn_upcall_vector_t request;
    if (!machine::read_guest(request, argument))
        return negative(XEN_EFAULT);
    if (request.vector < 16)
        return negative(XEN_EINVAL);
    const auto vcpus = vcpu.partition->vcpus;
    if (request.vcpu >= vcpus.size())
        return negative(XEN_ENOENT);
    vcpus[machine::nospec_index(request.vcpu, vcpus.size())].hardware->callback_vector = request.vector;
    return 0;
}

long do_hvm_op(Vcpu& vcpu, HypercallArguments& arguments)
{
    const GuestVirtual argument(arguments.value[1]);
    switch (arguments.value[0]) {
    case HVMOP_set_param:
    case HVMOP_get_param:
        return do_parameter(vcpu, arguments.value[0], argument);
    case HVMOP_set_evtchn_upcall_vector:
        return set_upcall_vector(vcpu, argument);
    case HVMOP_pagetable_dying:
        return 0;                           // a hint for shadow paging
    default:
        return negative(XEN_ENOSYS);
    }
}

// --- Memory ----------------------------------------------------------------------------------------

// Which shared page the request names: 0 is shared info, 1 on are grant frames.
Result<uint32_t> shared_page(Partition& partition, unsigned space, uint64_t index)
{
    switch (space) {
    case XENMAPSPACE_shared_info:
        if (index != 0)
            return fail(XEN_EINVAL);
        return 0u;
    case XENMAPSPACE_grant_table:
        if (!grow_grant_table(partition, index))
            return fail(XEN_EINVAL);
        return static_cast<uint32_t>(index) + 1;
    default:
        return fail(XEN_EINVAL);
    }
}

// A page is in one place at a time.
Result<> place(Partition& partition, unsigned space, uint64_t index, uint64_t gfn)
{
    const uint32_t page = TRY(shared_page(partition, space, index));
    const auto places = partition.hardware->shared_gfns;
    const Mfn frame = page == 0 ? partition.shared_frame : partition.grants.first_frame + (page - 1);
    const LockGuard guard(partition.memory.lock);
    uint64_t& where = places[machine::nospec_index(page, places.size())];
    if (where != 0 && where == gfn + 1)
        return {};
    TRY_VOID(nested_place(partition, gfn, frame));
    // There may be another shared page at that place, which has none now.
    std::ranges::replace(places, gfn + 1, uint64_t{0});
    const uint64_t former = std::exchange(where, gfn + 1);
    return former != 0 ? nested_place(partition, former - 1, invalid_mfn) : Result<>{};
}

Result<> add_to_physmap(Partition& partition, GuestVirtual argument)
{
    xen_add_to_physmap_t request;
    if (!machine::read_guest(request, argument))
        return fail(XEN_EFAULT);
    TRY_VOID(check_self(partition, request.domid));
    return place(partition, request.space, request.idx, request.gpfn);
}

// RAM comes back where there was RAM.
Result<> remove_from_physmap(Partition& partition, GuestVirtual argument)
{
    xen_remove_from_physmap_t request;
    if (!machine::read_guest(request, argument))
        return fail(XEN_EFAULT);
    TRY_VOID(check_self(partition, request.domid));
    const LockGuard guard(partition.memory.lock);
    for (uint64_t& where : partition.hardware->shared_gfns) {
        if (where == 0 || where != request.gpfn + 1)
            continue;
        where = 0;
        return nested_place(partition, request.gpfn, invalid_mfn);
    }
    return fail(XEN_EINVAL);
}

Result<> write_own_memory_map(const Partition& partition, GuestVirtual argument)
{
    const uint64_t frames = partition.plan->memory_frames;
    // The pages of the start of day are left out (boot/plan/pvh_layout.hpp).
    const uint64_t pages_end = partition.plan->pv.tables_pfn;
    const uint64_t low_end = std::min(frames, hole_first_gfn);
    std::array<E820Entry, 3> entries{ram_entry(0, partition.plan->pv.mapped_end_pfn)};
    size_t count = 1;
    if (low_end > pages_end)
        entries[count++] = ram_entry(pages_end, low_end - pages_end);
    if (frames > hole_first_gfn)
        entries[count++] = ram_entry(hole_first_gfn + hole_frames, frames - hole_first_gfn);
    return write_memory_map(argument, std::span(entries).first(count));
}

Result<long> query(const Partition& partition, unsigned operation, GuestVirtual argument)
{
    domid_t domain;
    if (!machine::read_guest(domain, argument))
        return fail(XEN_EFAULT);
    TRY_VOID(check_self(partition, domain));
    const uint64_t frames = partition.plan->memory_frames;
    return static_cast<long>(operation == XENMEM_maximum_gpfn ? ram_end_gfn(frames) - 1 : frames);
}

long do_memory(Vcpu& vcpu, HypercallArguments& arguments)
{
    Partition& partition = *vcpu.partition;
    const GuestVirtual argument(arguments.value[1]);
    constexpr uint32_t operation_mask = 0x3F;
    switch (const auto operation = static_cast<uint32_t>(arguments.value[0]) & operation_mask; operation) {
    case XENMEM_add_to_physmap:
        return to_return_value(add_to_physmap(partition, argument));
    case XENMEM_remove_from_physmap:
        return to_return_value(remove_from_physmap(partition, argument));
    case XENMEM_memory_map:
        return to_return_value(write_own_memory_map(partition, argument));
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn:
        return to_return_value(query(partition, operation, argument));
    case XENMEM_machine_memory_map:
        return negative(XEN_EPERM);
    default:
        return negative(XEN_ENOSYS);        // its memory is what it is: no balloon
    }
}

// --- Dispatch ---------------------------------------------------------------------------------------

long run(Vcpu& vcpu, uint64_t number, HypercallArguments& arguments)
{
    if (number >= hypercall_out_of_range)
        return refuse_out_of_range(vcpu, number, arguments);
    const uint64_t index = machine::nospec_index(number, hypercall_out_of_range);
    ++vcpu.hypercalls.calls[index];
    long result = negative(XEN_ENOSYS);
    if ((shared_with_pv >> index & 1) != 0)
        result = hypercall_handlers[index](vcpu, arguments);
    else if (index == __HYPERVISOR_memory_op)
        result = do_memory(vcpu, arguments);
    else if (index == __HYPERVISOR_hvm_op)
        result = do_hvm_op(vcpu, arguments);
    return result < 0 ? note_failure(vcpu, index, arguments, result) : result;
}

// Its entries lie on the stack: a frame of its own.
[[gnu::noinline]] long run_list(Vcpu& vcpu, HypercallArguments& arguments)
{
    return multicall::carry_out(vcpu, arguments, run);
}

}  // namespace

// Out of 64-bit kernel code only; RIP is past the instruction.
void hardware_hypercall(Vcpu& vcpu, GuestFrame& frame)
{
    const HypercallOrigin origin = vendor().hypercall_origin(vcpu);
    if (origin != HypercallOrigin::kernel_64) [[unlikely]] {
        frame.rax = static_cast<uint64_t>(origin == HypercallOrigin::user ? negative(XEN_EPERM) : negative(XEN_ENOSYS));
        return;
    }
    HypercallArguments& arguments = frame.arguments();
    const long result = frame.rax == __HYPERVISOR_multicall ? run_list(vcpu, arguments)
                                                           : run(vcpu, frame.rax, arguments);
    if (result == hypercall_continue)
        frame.rip -= hypercall_bytes;
    else
        frame.rax = static_cast<uint64_t>(result);
}

}  // namespace bulkhead
