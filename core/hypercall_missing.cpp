// SPDX-License-Identifier: BSD-2-Clause
// Hypercalls that are not built yet: refused, counted and named in the log by the dispatcher. A
// definition of the same name elsewhere takes the place of the weak one here; the line goes then.
#include "core/hypercall.hpp"

namespace bulkhead {

#define NOT_BUILT(name) \
    [[gnu::weak]] long name(Vcpu&, HypercallArguments&) { return negative(XEN_ENOSYS); }

NOT_BUILT(do_set_trap_table)
NOT_BUILT(do_mmu_update)
NOT_BUILT(do_set_gdt)
NOT_BUILT(do_stack_switch)
NOT_BUILT(do_set_callbacks)
NOT_BUILT(do_fpu_taskswitch)
NOT_BUILT(do_sched_op_compat)
NOT_BUILT(do_set_debugreg)
NOT_BUILT(do_get_debugreg)
NOT_BUILT(do_update_descriptor)
NOT_BUILT(do_memory_op)
NOT_BUILT(do_update_va_mapping)
NOT_BUILT(do_set_timer_op)
NOT_BUILT(do_console_io)
NOT_BUILT(do_grant_table_op)
NOT_BUILT(do_vm_assist)
NOT_BUILT(do_update_va_mapping_otherdomain)
NOT_BUILT(do_iret)
NOT_BUILT(do_vcpu_op)
NOT_BUILT(do_set_segment_base)
NOT_BUILT(do_mmuext_op)
NOT_BUILT(do_sched_op)
NOT_BUILT(do_callback_op)
NOT_BUILT(do_event_channel_op)
NOT_BUILT(do_physdev_op)

#undef NOT_BUILT

}  // namespace bulkhead
