// SPDX-License-Identifier: BSD-2-Clause
// See bounce.hpp. Called from entry.S with the vCPU current, interrupts off.
#include "core/pv/bounce.hpp"

#include "core/partition.hpp"
#include "core/partition_fault.hpp"
#include "core/pv/entry_points.hpp"
#include "core/schedule.hpp"
#include "machine/clock.hpp"
#include "machine/guest_frames.hpp"
#include "machine/registers.hpp"
#include "machine/this_cpu.hpp"
#include "platform/x86/layout.hpp"

extern "C" {
#include <xen/xen.h>
}

namespace bulkhead {

namespace {

constexpr uint64_t rflags_tf = 1u << 8;
constexpr uint64_t rflags_if = 1u << 9;
constexpr uint64_t rflags_iopl = 3u << 12;
constexpr uint64_t rflags_nt = 1u << 14;
constexpr uint64_t rflags_rf = 1u << 16;
constexpr uint64_t rflags_vm = 1u << 17;
constexpr uint64_t rflags_ac = 1u << 18;
// Off while a handler starts.
constexpr uint64_t rflags_cleared = rflags_tf | rflags_nt | rflags_rf | rflags_vm | rflags_ac | rflags_iopl;

struct Handler {
    uint64_t address;
    bool masks_events;
};

// The sentences of what a guest cannot take; apart, so that the path that all take stays short.
[[gnu::noinline, gnu::cold]] void no_handler(Vcpu& vcpu, const GuestFrame& frame, const char* what)
{
    crash_partition(vcpu, "it has no handler for %s (vCPU %u, rip %#lx)", what, vcpu.number.raw(), frame.rip);
}

[[gnu::noinline, gnu::cold]] void no_stack(Vcpu& vcpu, const GuestFrame& frame, uint64_t stack, const char* what)
{
    crash_partition(vcpu, "its stack at %#lx is overrun or not mapped: no room for %s (vCPU %u, rip %#lx)", stack,
                    what, vcpu.number.raw(), frame.rip);
}

enum class ErrorCode : bool { none, pushed };

template <ErrorCode has_error>
[[gnu::always_inline]] inline void bounce(Vcpu& vcpu, GuestFrame& frame, Handler handler, const char* what,
                                          uint32_t error_code = 0)
{
    if (handler.address == 0) [[unlikely]]      // what is registered is canonical
        return no_handler(vcpu, frame, what);
    vcpu_info_t& info = *vcpu.info;
    const uint64_t old_mask = info.evtchn_upcall_mask;
    uint64_t stack = frame.rsp;
    uint64_t cs = frame.cs & ~uint64_t{3};
    if (!vcpu.pv.kernel_mode) {
        enter_kernel_mode(vcpu);
        stack = vcpu.pv.kernel_sp;
        cs = frame.cs;
    }
    uint64_t rflags = frame.rflags & ~(rflags_if | rflags_iopl);
    if ((old_mask & 1) == 0)
        rflags |= rflags_if;
    if ((vcpu.partition->vm_assist & (uint64_t{1} << VMASST_TYPE_architectural_iopl)) != 0)
        rflags |= uint64_t{vcpu.pv.iopl} << 12;

    cs |= old_mask << 32;
    bool stored;
    if constexpr (has_error == ErrorCode::pushed) {
        stack = (stack & ~uint64_t{15}) - machine::exception_frame_bytes - sizeof(uint64_t);
        stored = machine::store_frame(stack, frame, cs, rflags, error_code);
    } else {
        stack = (stack & ~uint64_t{15}) - machine::exception_frame_bytes;
        stored = machine::store_frame(stack, frame, cs, rflags);
    }
    if (!stored) [[unlikely]]
        return no_stack(vcpu, frame, stack, what);

    if (handler.masks_events)
        info.evtchn_upcall_mask = 1;
    frame.rip = handler.address;
    frame.cs = FLAT_KERNEL_CS;
    frame.rflags = (frame.rflags & ~rflags_cleared) | rflags_if;
    frame.rsp = stack;
    frame.ss = FLAT_KERNEL_SS;
    frame.vector = entry_syscall;   // RCX and R11 are on the guest's stack: SYSRET will do
}

constexpr bool has_error_code(uint8_t vector)
{
    constexpr uint32_t with_error_code = 1u << 8 | 0x1fu << 10 | 1u << 17 | 1u << 21;
    return vector < 32 && ((with_error_code >> vector) & 1) != 0;
}

Handler to_handler(const PvCallback& callback)
{
    return {callback.address, callback.masks_events};
}

// A kernel that sends itself an event at the end of each handler would never get on: Linux with
// PREEMPT_RCU does so while a quiescent state is due (its rcu_read_unlock() at the end of the
// upcall queues an irq_work). The code that was interrupted gets a moment.
constexpr uint8_t upcalls_in_a_row_at_most = 32;
constexpr uint64_t hold_off_ns = 20'000;

[[gnu::noinline, gnu::cold]] void hold_events_off(Vcpu& vcpu)
{
    if (vcpu.time.upcall_after != never)
        return;
    vcpu.time.upcall_after = machine::now() + hold_off_ns;
    timers_changed(vcpu);
}

}  // namespace

void inject_exception(Vcpu& vcpu, GuestFrame& frame, uint8_t vector, uint32_t error_code)
{
    const PvTrap& trap = vcpu.pv.traps[vector];
    if (has_error_code(vector))
        bounce<ErrorCode::pushed>(vcpu, frame, {trap.address, trap.masks_events}, "an exception", error_code);
    else
        bounce<ErrorCode::none>(vcpu, frame, {trap.address, trap.masks_events}, "an exception");
}

void inject_software_interrupt(Vcpu& vcpu, GuestFrame& frame, uint8_t vector)
{
    const PvTrap& trap = vcpu.pv.traps[vector];
    bounce<ErrorCode::none>(vcpu, frame, {trap.address, trap.masks_events}, "a software interrupt");
}

void inject_page_fault(Vcpu& vcpu, GuestFrame& frame, uint64_t address, uint32_t error_code)
{
    constexpr uint8_t page_fault = 14;
    constexpr uint32_t user_bit = 4;
    vcpu.pv.cr2 = address;
    vcpu.info->arch.cr2 = address;
    // Ring 3 for the CPU; the guest's kernel is not a user to itself.
    const uint32_t error = vcpu.pv.kernel_mode ? error_code & ~user_bit : error_code | user_bit;
    const PvTrap& trap = vcpu.pv.traps[page_fault];
    bounce<ErrorCode::pushed>(vcpu, frame, {trap.address, trap.masks_events}, "a page fault", error);
}

// Without a frame of its own: a back trace leaves it out.
[[gnu::optimize("omit-frame-pointer")]] void deliver_event(Vcpu& vcpu, GuestFrame& frame)
{
    if (vcpu.pv.event.address == 0)
        return;                     // not registered yet: stays pending
    if (vcpu.pv.upcalls_in_a_row >= upcalls_in_a_row_at_most) [[unlikely]]
        return hold_events_off(vcpu);
    bounce<ErrorCode::none>(vcpu, frame, {vcpu.pv.event.address, true}, "an event");
}

void deliver_nmi(Vcpu& vcpu, GuestFrame& frame)
{
    vcpu.pv.nmi_pending = false;
    if (vcpu.pv.nmi.address == 0)
        return;
    vcpu.pv.nmi_masked = true;
    bounce<ErrorCode::none>(vcpu, frame, {vcpu.pv.nmi.address, true}, "an NMI");
}

void end_nmi(Vcpu& vcpu)
{
    vcpu.pv.nmi_masked = false;
    if (vcpu.pv.nmi_pending)
        this_cpu().work.fetch_or(work_fault, std::memory_order_relaxed);
}

void bounce_syscall(Vcpu& vcpu, GuestFrame& frame)
{
    bounce<ErrorCode::none>(vcpu, frame, to_handler(vcpu.pv.syscall), "SYSCALL");
}

void bounce_syscall32(Vcpu& vcpu, GuestFrame& frame)
{
    constexpr uint8_t invalid_opcode = 6;
    constexpr uint64_t syscall_length = 2;
    if (vcpu.pv.syscall32.address != 0)
        return bounce<ErrorCode::none>(vcpu, frame, to_handler(vcpu.pv.syscall32), "a 32-bit SYSCALL");
    frame.rip -= syscall_length;
    inject_exception(vcpu, frame, invalid_opcode);
}

void bounce_sysenter(Vcpu& vcpu, GuestFrame& frame)
{
    constexpr uint8_t general_protection = 13;
    if (vcpu.pv.sysenter.address != 0)
        return bounce<ErrorCode::none>(vcpu, frame, to_handler(vcpu.pv.sysenter), "SYSENTER");
    inject_exception(vcpu, frame, general_protection, 0);
}

void handle_failed_return(Vcpu& vcpu, GuestFrame& frame)
{
    if (vcpu.pv.failsafe.address == 0)
        return crash_partition(vcpu, "it returns to %#x:%#lx, which cannot be loaded, and has no failsafe callback",
                               frame.cs, frame.rip);
    bounce<ErrorCode::none>(vcpu, frame, to_handler(vcpu.pv.failsafe), "a failed return");
}

}  // namespace bulkhead
