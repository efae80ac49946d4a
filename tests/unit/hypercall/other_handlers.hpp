// SPDX-License-Identifier: BSD-2-Clause
// Handlers that a test of the dispatcher does not bring itself: all refuse, as one that is not
// written yet does. The test has vm_assist, mmu_update, multicall, event_channel_op
// and grant_table_op.
#pragma once

#include "core/hypercall.hpp"
#include "core/trace.hpp"

#include <cstdint>
#include <vector>

namespace bulkhead {

struct TraceRecord {
    uint64_t a;
    uint64_t b;
};
static std::vector<TraceRecord> trace_records;
constinit std::atomic<bool> trace_enabled{false};
void trace_record(TraceEvent, uint64_t a, uint64_t b) { trace_records.push_back({a, b}); }

#define OTHER_HANDLER(name) \
    long name(Vcpu&, HypercallArguments&) { return negative(XEN_ENOSYS); }

OTHER_HANDLER(do_set_trap_table)
OTHER_HANDLER(do_set_gdt)
OTHER_HANDLER(do_stack_switch)
OTHER_HANDLER(do_set_callbacks)
OTHER_HANDLER(do_fpu_taskswitch)
OTHER_HANDLER(do_sched_op_compat)
OTHER_HANDLER(do_set_debugreg)
OTHER_HANDLER(do_get_debugreg)
OTHER_HANDLER(do_update_descriptor)
OTHER_HANDLER(do_memory_op)
OTHER_HANDLER(do_update_va_mapping)
OTHER_HANDLER(do_set_timer_op)
OTHER_HANDLER(do_console_io)
OTHER_HANDLER(do_update_va_mapping_otherdomain)
OTHER_HANDLER(do_iret)
OTHER_HANDLER(do_vcpu_op)
OTHER_HANDLER(do_set_segment_base)
OTHER_HANDLER(do_mmuext_op)
OTHER_HANDLER(do_sched_op)
OTHER_HANDLER(do_callback_op)
OTHER_HANDLER(do_physdev_op)
OTHER_HANDLER(do_xen_version)
OTHER_HANDLER(do_bulkhead_op)

#undef OTHER_HANDLER

}  // namespace bulkhead
