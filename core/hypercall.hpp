// SPDX-License-Identifier: BSD-2-Clause
// The hypercall table. A handler is found by its name: do_NAME for __HYPERVISOR_NAME.
#pragma once

#include "core/guest_frame.hpp"
#include "core/result.hpp"
#include "core/vcpu.hpp"

#include <climits>
#include <cstdint>

namespace bulkhead {

// Runs on the vCPU's own CPU with interrupts off, the guest's kernel page tables loaded and no lock
// held. The result goes to rax. A handler that has done its share of the work (about 10,000
// instructions) and is not finished updates the arguments so that it can go on, and returns
// hypercall_continue: the guest executes the hypercall again, after whatever waited.
using HypercallHandler = long (*)(Vcpu& vcpu, HypercallArguments& arguments);
inline constexpr long hypercall_continue = LONG_MIN;

inline long to_return_value(const Result<>& result)
{
    return result.has_value() ? 0 : negative(result.error());
}
inline long to_return_value(const Result<long>& result)
{
    return result.has_value() ? *result : negative(result.error());
}

// Called by entry.S, with the arguments in the frame of the current vCPU. -ENOSYS, counted, for numbers
// without a handler.
extern "C" long dispatch_hypercall(Vcpu& vcpu, uint64_t number, HypercallArguments& arguments);

long do_set_trap_table(Vcpu&, HypercallArguments&);             // core/pv/traps.cpp
long do_mmu_update(Vcpu&, HypercallArguments&);                 // core/pv/mmu_update.cpp
long do_set_gdt(Vcpu&, HypercallArguments&);                    // core/pv/descriptors.cpp
long do_stack_switch(Vcpu&, HypercallArguments&);               // core/pv/traps.cpp
long do_set_callbacks(Vcpu&, HypercallArguments&);              // core/pv/callbacks.cpp
long do_fpu_taskswitch(Vcpu&, HypercallArguments&);             // core/pv/fpu.cpp
long do_sched_op_compat(Vcpu&, HypercallArguments&);            // core/sched_op.cpp
long do_set_debugreg(Vcpu&, HypercallArguments&);               // core/pv/debug_registers.cpp
long do_get_debugreg(Vcpu&, HypercallArguments&);               // core/pv/debug_registers.cpp
long do_update_descriptor(Vcpu&, HypercallArguments&);          // core/pv/descriptors.cpp
long do_memory_op(Vcpu&, HypercallArguments&);                  // core/memory_op.cpp
long do_multicall(Vcpu&, HypercallArguments&);                  // core/multicall.cpp
long do_update_va_mapping(Vcpu&, HypercallArguments&);          // core/pv/update_va_mapping.cpp
long do_set_timer_op(Vcpu&, HypercallArguments&);               // core/timer_op.cpp
long do_xen_version(Vcpu&, HypercallArguments&);                // core/xen_version.cpp
long do_console_io(Vcpu&, HypercallArguments&);                 // core/console/console_io.cpp
long do_grant_table_op(Vcpu&, HypercallArguments&);             // core/grant_table_op.cpp
long do_vm_assist(Vcpu&, HypercallArguments&);                  // core/pv/vm_assist.cpp
long do_update_va_mapping_otherdomain(Vcpu&, HypercallArguments&);
long do_iret(Vcpu&, HypercallArguments&);                       // core/pv/iret.cpp
long do_vcpu_op(Vcpu&, HypercallArguments&);                    // core/vcpu_op.cpp
long do_set_segment_base(Vcpu&, HypercallArguments&);           // core/pv/segments.cpp
long do_mmuext_op(Vcpu&, HypercallArguments&);                  // core/pv/mmuext_op.cpp
long do_sched_op(Vcpu&, HypercallArguments&);                   // core/sched_op.cpp
long do_callback_op(Vcpu&, HypercallArguments&);                // core/pv/callbacks.cpp
long do_event_channel_op(Vcpu&, HypercallArguments&);           // core/event_channel_op.cpp
long do_physdev_op(Vcpu&, HypercallArguments&);                 // core/pv/physdev_op.cpp
long do_bulkhead_op(Vcpu&, HypercallArguments&);                // core/bulkhead_op.cpp; arch_2

}  // namespace bulkhead
