// SPDX-License-Identifier: BSD-2-Clause
// The hypercall table: number to handler, counted per vCPU. What has no handler is refused.
// Source: xen/include/public/xen.h, "HYPERCALLS".
#include "core/hypercall.hpp"

#include "core/hypercall_names.hpp"
#include "core/hypercall_table.hpp"
#include "core/log.hpp"
#include "core/partition.hpp"
#include "core/trace.hpp"
#include "machine/current_frame.hpp"
#include "machine/this_cpu.hpp"

#include <array>

namespace bulkhead {

namespace {

// Domain 0's business, on any hypervisor: no partition is it.
long refuse_privileged(Vcpu&, HypercallArguments&) { return negative(XEN_EPERM); }

long refuse_unknown(Vcpu&, HypercallArguments&) { return negative(XEN_ENOSYS); }

consteval auto make_table()
{
    std::array<HypercallHandler, hypercall_numbers> table{};
    table.fill(refuse_unknown);
    table[__HYPERVISOR_set_trap_table] = do_set_trap_table;
    table[__HYPERVISOR_mmu_update] = do_mmu_update;
    table[__HYPERVISOR_set_gdt] = do_set_gdt;
    table[__HYPERVISOR_stack_switch] = do_stack_switch;
    table[__HYPERVISOR_set_callbacks] = do_set_callbacks;
    table[__HYPERVISOR_fpu_taskswitch] = do_fpu_taskswitch;
    table[__HYPERVISOR_sched_op_compat] = do_sched_op_compat;
    table[__HYPERVISOR_platform_op] = refuse_privileged;
    table[__HYPERVISOR_set_debugreg] = do_set_debugreg;
    table[__HYPERVISOR_get_debugreg] = do_get_debugreg;
    table[__HYPERVISOR_update_descriptor] = do_update_descriptor;
    table[__HYPERVISOR_memory_op] = do_memory_op;
    table[__HYPERVISOR_multicall] = do_multicall;
    table[__HYPERVISOR_update_va_mapping] = do_update_va_mapping;
    table[__HYPERVISOR_set_timer_op] = do_set_timer_op;
    table[__HYPERVISOR_xen_version] = do_xen_version;
    table[__HYPERVISOR_console_io] = do_console_io;
    table[__HYPERVISOR_grant_table_op] = do_grant_table_op;
    table[__HYPERVISOR_vm_assist] = do_vm_assist;
    table[__HYPERVISOR_update_va_mapping_otherdomain] = do_update_va_mapping_otherdomain;
    table[__HYPERVISOR_iret] = do_iret;
    table[__HYPERVISOR_vcpu_op] = do_vcpu_op;
    table[__HYPERVISOR_set_segment_base] = do_set_segment_base;
    table[__HYPERVISOR_mmuext_op] = do_mmuext_op;
    table[__HYPERVISOR_sched_op] = do_sched_op;
    table[__HYPERVISOR_callback_op] = do_callback_op;
    table[__HYPERVISOR_event_channel_op] = do_event_channel_op;
    table[__HYPERVISOR_physdev_op] = do_physdev_op;
    table[__HYPERVISOR_sysctl] = refuse_privileged;
    table[__HYPERVISOR_domctl] = refuse_privileged;
    table[__HYPERVISOR_kexec_op] = refuse_privileged;
    table[__HYPERVISOR_arch_2] = do_bulkhead_op;
    return table;
}

// Once for a number and partition: a guest can fill no log with it.
void tell_once(Vcpu& vcpu, uint64_t index, uint64_t number, const HypercallArguments& arguments)
{
    Partition& partition = *vcpu.partition;
    const uint64_t bit = uint64_t{1} << index;
    std::atomic<uint64_t>& told = partition.vcpus[0].hypercalls.told;
    if ((told.load(std::memory_order_relaxed) & bit) != 0)
        return;
    if ((told.fetch_or(bit, std::memory_order_relaxed) & bit) == 0)
        log("%s: its kernel asked for %s %#lx (hypercall %lu), which is not offered; told once", partition.name(),
            hypercall_name(number), static_cast<unsigned long>(arguments.value[0]),
            static_cast<unsigned long>(number));
}

void count_refusal(Vcpu& vcpu, uint64_t index, uint64_t number, const HypercallArguments& arguments)
{
    ++vcpu.hypercalls.refused[index];
    tell_once(vcpu, index, number, arguments);
}

}  // namespace

constexpr std::array<HypercallHandler, hypercall_numbers> hypercall_handlers = make_table();

[[gnu::cold, gnu::noinline]] long note_failure(Vcpu& vcpu, uint64_t index, const HypercallArguments& arguments,
                                               long result)
{
    const bool not_built = result == negative(XEN_ENOSYS) || result == negative(XEN_EOPNOTSUPP);
    if (not_built || hypercall_handlers[index] == refuse_privileged)
        count_refusal(vcpu, index, index, arguments);
    return result;
}

[[gnu::cold, gnu::noinline]] long refuse_out_of_range(Vcpu& vcpu, uint64_t number,
                                                      const HypercallArguments& arguments)
{
    ++vcpu.hypercalls.calls[hypercall_out_of_range];
    count_refusal(vcpu, hypercall_out_of_range, number, arguments);
    return negative(XEN_ENOSYS);
}

// After a direct hypercall: finds everything else again, so that those that succeed save nothing.
[[gnu::cold, gnu::noinline]] static long note_direct_failure(long result)
{
    GuestFrame& frame = machine::current_frame();
    Vcpu& vcpu = *this_cpu().current;
    if (frame.rax >= hypercall_out_of_range)
        count_refusal(vcpu, hypercall_out_of_range, frame.rax, frame.arguments());
    else
        note_failure(vcpu, frame.rax, frame.arguments(), result);
    return result;
}

[[gnu::cold, gnu::noinline]] static long dispatch_traced(Vcpu& vcpu, uint64_t number, HypercallArguments& arguments)
{
    trace_record(TraceEvent::hypercall, number, arguments.value[0]);
    return run_hypercall(vcpu, number, arguments);
}

// Without a frame of its own, which costs three instructions a hypercall: a back trace leaves it out.
extern "C" [[gnu::optimize("omit-frame-pointer")]] long dispatch_hypercall(Vcpu& vcpu, uint64_t number,
                                                                           HypercallArguments& arguments)
{
    if (trace_enabled.load(std::memory_order_relaxed)) [[unlikely]]
        return dispatch_traced(vcpu, number, arguments);
    // What is out of range has a handler too: it refuses.
    const long result = call_handler(vcpu, machine::nospec_limit(number, hypercall_out_of_range), arguments);
    if (result < 0) [[unlikely]]
        return note_direct_failure(result);
    return result;
}

}  // namespace bulkhead
