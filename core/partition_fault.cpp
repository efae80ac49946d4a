// SPDX-License-Identifier: BSD-2-Clause
// The end of a partition's life by its own fault: said at once, with the registers as soon as they
// have been saved.
#include "core/partition_fault.hpp"

#include "core/lifecycle_internal.hpp"
#include "core/log.hpp"
#include "core/schedule.hpp"

#include <cstdarg>
#include <cstdio>

extern "C" {
#include <xen/sched.h>
}

namespace bulkhead {

void crash_partition(Vcpu& vcpu, const char* format, ...)
{
    Partition& partition = *vcpu.partition;
    // Another one was first, and may still be holding the others.
    if (!claim_shutdown(partition, SHUTDOWN_crash)) {
        hold(vcpu, hold_stopped);
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(partition.health.last_reason.data(), partition.health.last_reason.size(), format, arguments);
    va_end(arguments);
    partition.lifecycle.crashed_vcpu = vcpu.number.raw();
    log("%s: crashed: %s", partition.name(), partition.health.last_reason.data());
    request_lifecycle(partition, lifecycle_shut_down);
}

void log_registers(const Vcpu& vcpu)
{
    const GuestFrame& r = vcpu.registers;
    const char* name = vcpu.partition->name();
    log("%s: vCPU %u: rip %04x:%016lx rsp %04x:%016lx rflags %08lx", name, vcpu.number.raw(), r.cs, r.rip, r.ss,
        r.rsp, r.rflags);
    log("%s:  rax %016lx rbx %016lx rcx %016lx rdx %016lx rsi %016lx rdi %016lx", name, r.rax, r.rbx, r.rcx, r.rdx,
        r.rsi, r.rdi);
    log("%s:  rbp %016lx r8  %016lx r9  %016lx r10 %016lx r11 %016lx r12 %016lx", name, r.rbp, r.r8, r.r9, r.r10,
        r.r11, r.r12);
    log("%s:  r13 %016lx r14 %016lx r15 %016lx cr2 %016lx kernel stack %04x:%016lx", name, r.r13, r.r14, r.r15,
        vcpu.pv.cr2, vcpu.pv.kernel_ss, vcpu.pv.kernel_sp);
}

}  // namespace bulkhead
