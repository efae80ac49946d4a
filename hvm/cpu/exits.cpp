// SPDX-License-Identifier: BSD-2-Clause
// See exits.hpp. What a guest does here stops at most itself.
#include "hvm/cpu/exits.hpp"

#include "core/guest_power.hpp"
#include "core/lifecycle.hpp"
#include "core/partition_fault.hpp"
#include "core/schedule.hpp"
#include "hvm/cpu/cpuid_policy.hpp"
#include "hvm/cpu/guest_registers.hpp"
#include "hvm/cpu/msr_policy.hpp"
#include "hvm/cpu/operations.hpp"
#include "machine/fpu.hpp"

#include <array>
#include <cstdio>

extern "C" {
#include <xen/sched.h>
}

namespace bulkhead {

namespace {

// handle_exit() jumps to these and has no frame of its own, which the rarest of them would size.
#define OWN_FRAME [[gnu::noinline]]

constexpr uint64_t flag_trap = 0x100;
constexpr uint64_t flag_resume = 0x10000;

[[gnu::always_inline]] inline void go_past(Vcpu& vcpu, GuestFrame& frame, unsigned bytes)
{
    frame.rip += bytes;
    if (static_cast<uint32_t>(frame.rip) < bytes && !vendor().in_64_bit_code(vcpu)) [[unlikely]]
        frame.rip = static_cast<uint32_t>(frame.rip);
    frame.rflags &= ~flag_resume;
    vendor().end_shadow(vcpu);
    if ((frame.rflags & flag_trap) != 0) {
        vendor().single_stepped(vcpu);
        inject_exception(vcpu, vector::debug);
    }
}

// Past the instruction that was carried out.
[[gnu::always_inline]] inline void step(Vcpu& vcpu, GuestFrame& frame, const Exit& exit)
{
    const unsigned bytes = instruction_length(vcpu, frame, exit);
    if (bytes == 0) {
        crash_partition(vcpu, "its code at %#lx changed while it was looked at",
                        static_cast<unsigned long>(frame.rip));
        return;
    }
    go_past(vcpu, frame, bytes);
}

void split(uint64_t value, GuestFrame& frame)
{
    frame.rax = static_cast<uint32_t>(value);
    frame.rdx = value >> 32;
}

uint64_t joined(const GuestFrame& frame)
{
    return static_cast<uint32_t>(frame.rax) | frame.rdx << 32;
}

OWN_FRAME void do_cpuid(Vcpu& vcpu, GuestFrame& frame, const Exit& exit)
{
    const CpuidResult result
        = hardware_cpuid(vcpu, static_cast<uint32_t>(frame.rax), static_cast<uint32_t>(frame.rcx));
    frame.rax = result.eax;
    frame.rbx = result.ebx;
    frame.rcx = result.ecx;
    frame.rdx = result.edx;
    step(vcpu, frame, exit);
}

OWN_FRAME void do_halt(Vcpu& vcpu, GuestFrame& frame, const Exit& exit)
{
    step(vcpu, frame, exit);
    if (hardware_must_run(vcpu))
        return;
    hold(vcpu, hold_blocked);
    // What came in between has found nothing to release.
    if (hardware_must_run(vcpu))
        release(vcpu, hold_blocked);
}

OWN_FRAME void do_read_msr(Vcpu& vcpu, GuestFrame& frame, const Exit& exit)
{
    uint64_t value = 0;
    if (!read_hardware_msr(vcpu, static_cast<uint32_t>(frame.rcx), value)) {
        inject_exception(vcpu, vector::general_protection, 0);
        return;
    }
    split(value, frame);
    step(vcpu, frame, exit);
}

OWN_FRAME void do_write_msr(Vcpu& vcpu, GuestFrame& frame, const Exit& exit)
{
    if (!write_hardware_msr(vcpu, static_cast<uint32_t>(frame.rcx), joined(frame))) {
        inject_exception(vcpu, vector::general_protection, 0);
        return;
    }
    step(vcpu, frame, exit);
}

// Source: Intel SDM vol 1, "Enabling the XSAVE Feature Set": what XCR0 may hold together.
bool is_allowed_xcr0(uint64_t value)
{
    constexpr uint64_t x87 = 1, sse = 2, avx = 4, avx512 = 0xE0;
    if ((value & x87) == 0 || (value & ~machine::fpu_components()) != 0)
        return false;
    if ((value & avx) != 0 && (value & sse) == 0)
        return false;
    return (value & avx512) == 0 || ((value & avx512) == avx512 && (value & avx) != 0);
}

OWN_FRAME void do_set_xcr0(Vcpu& vcpu, GuestFrame& frame, const Exit& exit)
{
    const uint64_t value = joined(frame);
    if (vendor().paging(vcpu).cpl != 0 || static_cast<uint32_t>(frame.rcx) != 0 || !is_allowed_xcr0(value)) {
        inject_exception(vcpu, vector::general_protection, 0);
        return;
    }
    vcpu.pv.xcr0 = value;
    machine::write_xcr0(value);
    step(vcpu, frame, exit);
}

// The interval timer's counter. Where it always reads as ones, Linux looks at it 100,000 times before it
// believes that there is no timer; where it reads as zero, twice.
constexpr uint16_t interval_timer_counter = 0x42;

// There is no device behind any port but the power switch of the ACPI tables: reads are all ones.
OWN_FRAME void do_port(Vcpu& vcpu, GuestFrame& frame, const Exit& exit)
{
    if (exit.string) {
        crash_partition(vcpu, "it used a string instruction on port %#x, where there is no device", exit.port);
        return;
    }
    if (!exit.write) {
        const uint64_t all = exit.bytes == 4 ? ~uint64_t{0} : (uint64_t{1} << (exit.bytes * 8)) - 1;
        const uint64_t value = exit.port == interval_timer_counter ? 0 : 0xFFFF'FFFF;
        frame.rax = (frame.rax & ~all) | (value & all);
    } else if (exit.port == guest_power::sleep_port && (frame.rax & guest_power::sleep_enable) != 0) {
        shut_down(*vcpu.partition, SHUTDOWN_poweroff);
    } else if (exit.port == guest_power::reset_port && (frame.rax & 0xFF) == guest_power::reset_value) {
        shut_down(*vcpu.partition, SHUTDOWN_reboot);
    }
    step(vcpu, frame, exit);
}

// CR8 is the upper half of the local APIC's task priority.
OWN_FRAME void do_task_priority(Vcpu& vcpu, GuestFrame& frame, const Exit& exit)
{
    uint32_t& priority = vcpu.hardware->apic.task_priority;
    uint64_t& operand = general_register(frame, exit.general_register);
    if (!exit.write) {
        operand = priority >> 4;
    } else if (operand <= 15) {
        priority = static_cast<uint32_t>(operand) << 4;
    } else {
        inject_exception(vcpu, vector::general_protection, 0);
        return;
    }
    step(vcpu, frame, exit);
}

OWN_FRAME void do_hypercall(Vcpu& vcpu, GuestFrame& frame, const Exit& exit)
{
    const unsigned bytes = instruction_length(vcpu, frame, exit);
    frame.rip += bytes != 0 ? bytes : 3;
    frame.rflags &= ~flag_resume;
    hardware_hypercall(vcpu, frame);
}

OWN_FRAME void do_exception(Vcpu& vcpu, const Exit& exit)
{
    if (exit.vector == vector::alignment_check)
        inject_exception(vcpu, exit.vector, exit.error_code);
    else
        inject_exception(vcpu, exit.vector);
}

OWN_FRAME void give_up(Vcpu& vcpu, const Exit& exit)
{
    switch (exit.reason) {
    case ExitReason::triple_fault:
        return crash_partition(vcpu, "triple fault");
    case ExitReason::task_switch:
        return crash_partition(vcpu, "it switched tasks by hardware, which VT-x leaves to software");
    case ExitReason::entry_failed:
        return crash_partition(vcpu, "the CPU refused its state (%#lx)", static_cast<unsigned long>(exit.detail));
    case ExitReason::unknown:
        return crash_partition(vcpu, "it left for a reason that is not known (%#lx)",
                               static_cast<unsigned long>(exit.detail));
    default:
        return;
    }
}

OWN_FRAME void do_nested_fault(Vcpu& vcpu, GuestFrame& frame, const Exit& exit)
{
    if (is_page_access(vcpu, exit))
        return begin_page_access(vcpu, frame, exit);
    std::array<uint8_t, 8> code{};
    const unsigned got = fetch_code(vcpu, vendor().code_base(vcpu) + frame.rip, code.data(), code.size());
    CodeText text;
    crash_partition(vcpu, "it %s guest-physical %#lx, where it has nothing; code %s",
                    exit.write ? "wrote to" : "read", static_cast<unsigned long>(exit.address),
                    text_of_code(code, got, text));
}

}  // namespace

void step_by(Vcpu& vcpu, GuestFrame& frame, unsigned bytes) { go_past(vcpu, frame, bytes); }

const char* text_of_code(std::span<const uint8_t> bytes, unsigned count, CodeText& text)
{
    text[0] = '\0';
    size_t at = 0;
    for (unsigned i = 0; i < count; ++i)
        at += static_cast<size_t>(snprintf(text.data() + at, text.size() - at, "%02x ", unsigned{bytes[i]}));
    return text.data();
}

void inject_exception(Vcpu& vcpu, uint8_t vector)
{
    vcpu.hardware->next = {Injection::Type::exception, vector, false, 0};
}

void inject_exception(Vcpu& vcpu, uint8_t vector, uint32_t error_code)
{
    vcpu.hardware->next = {Injection::Type::exception, vector, true, error_code};
}

void handle_exit(Vcpu& vcpu, GuestFrame& frame, const Exit& exit)
{
    // The most frequent first; a switch without jump tables is a tree.
    if (exit.reason == ExitReason::hypercall) [[likely]]
        return do_hypercall(vcpu, frame, exit);
    if (exit.reason == ExitReason::msr_write)
        return do_write_msr(vcpu, frame, exit);
    switch (exit.reason) {
    case ExitReason::nothing:
    case ExitReason::interrupt:
    case ExitReason::interrupt_window:
    case ExitReason::count:
        return;
    case ExitReason::cpuid:
        return do_cpuid(vcpu, frame, exit);
    case ExitReason::halt:
        return do_halt(vcpu, frame, exit);
    case ExitReason::port:
        return do_port(vcpu, frame, exit);
    case ExitReason::msr_read:
        return do_read_msr(vcpu, frame, exit);
    case ExitReason::msr_write:
        return do_write_msr(vcpu, frame, exit);
    case ExitReason::hypercall:
        return do_hypercall(vcpu, frame, exit);
    case ExitReason::set_xcr0:
        return do_set_xcr0(vcpu, frame, exit);
    case ExitReason::nested_fault:
        return do_nested_fault(vcpu, frame, exit);
    case ExitReason::exception:
        return do_exception(vcpu, exit);
    case ExitReason::no_such_instruction:
        return inject_exception(vcpu, vector::invalid_opcode);
    case ExitReason::cache_control:
    case ExitReason::carried_out:
        return step(vcpu, frame, exit);
    case ExitReason::task_priority:
        return do_task_priority(vcpu, frame, exit);
    case ExitReason::triple_fault:
    case ExitReason::task_switch:
    case ExitReason::entry_failed:
    case ExitReason::unknown:
        return give_up(vcpu, exit);
    }
}

}  // namespace bulkhead
