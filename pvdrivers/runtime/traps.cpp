// SPDX-License-Identifier: BSD-2-Clause
// Source: xen/include/public/arch-x86/xen.h, struct trap_info; callback.h.
#include "pvdrivers/runtime/traps.hpp"

#include "pvdrivers/abi/hypercall.hpp"
#include "pvdrivers/runtime/fatal.hpp"
#include "pvdrivers/runtime/frames.hpp"
#include "pvdrivers/runtime/image.hpp"
#include "pvdrivers/runtime/vcpu_local.hpp"

#include <bulkhead/slice.hpp>
#include <bulkhead/traps.hpp>

#include <atomic>
#include <cstdio>

extern "C" {
#include <xen/callback.h>
#include <xen/sched.h>
}

namespace bulkhead {

// As entry.S builds it.
struct TrapFrame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector;
    uint64_t error_code;
    uint64_t rip;
    uint64_t cs;              // bits 32 and up: the event mask before
    uint64_t rflags;
    uint64_t rsp;
    uint64_t ss;
};
static_assert(sizeof(TrapFrame) == 22 * sizeof(uint64_t));

extern "C" [[noreturn]] void handle_trap(const TrapFrame& frame);

namespace {

constexpr unsigned exceptions = 32;
constexpr unsigned entry_bytes = 16;
constexpr unsigned page_fault = 14;
constexpr unsigned failsafe = 256;
constexpr unsigned deepest_trace = 32;

void (*last_words)();

// The first crash reports; what crashes while reporting only ends.
std::atomic<bool> crashing;

const char* name_of_vector(uint64_t vector)
{
    switch (vector) {
    case 0: return "division by zero or overflow (#DE)";
    case 1: return "debug exception (#DB)";
    case 3: return "breakpoint (#BP)";
    case 6: return "invalid instruction (#UD)";
    case 7: return "device not available (#NM)";
    case 8: return "double fault (#DF): the stack is overrun or not mapped";
    case 11: return "segment not present (#NP)";
    case 12: return "stack fault (#SS)";
    case 13: return "general protection fault (#GP)";
    case page_fault: return "page fault (#PF)";
    case 16: return "x87 floating-point exception (#MF)";
    case 17: return "misaligned access (#AC)";
    case 19: return "SIMD floating-point exception (#XM)";
    case failsafe: return "invalid segment (failsafe call-back)";
    default: return "exception";
    }
}

const char* kind_of_access(uint64_t error_code)
{
    constexpr uint64_t write = 2;
    constexpr uint64_t fetch = 16;
    if ((error_code & fetch) != 0)
        return "execution";
    return (error_code & write) != 0 ? "write" : "read";
}

// What lies at an address, for somebody who looks for a mistake.
const char* place_of(uint64_t address)
{
    if (address < layout::page_shift << layout::page_shift)
        return "at or near the null pointer";
    if (address < layout::linear_base)
        return "where nothing is mapped";
    if (address < image::text_end())
        return "in the program's code, which is read-only";
    if (address < image::rodata_end())
        return "in the program's constants, which are read-only";
    if (address < layout::linear_base + (start_info->nr_pages << layout::page_shift))
        return "in the partition's memory: it is not executable, and page tables in it are read-only";
    if (address >= layout::window_base && address < layout::stacks_base)
        return "in the mapping window: the mapping has ended, or is read-only";
    if (address >= layout::stacks_base && address < layout::persistent_base)
        return "below or behind a stack";
    return "where nothing is mapped";
}

bool is_code(uint64_t address)
{
    return address >= image::start() && address < image::text_end();
}

// A frame pointer that can be followed: on this vCPU's stack, or on the first one.
bool is_on_stack(uint64_t address)
{
    const VcpuLocal& vcpu = this_vcpu();
    const bool in_data = address >= image::rodata_end() && address + 16 <= image::end();
    const bool on_own = address >= vcpu.stack_low && address + 16 <= vcpu.stack_end;
    return address % 8 == 0 && (on_own || in_data);
}

void report_trace(uint64_t first, uint64_t frame_pointer)
{
    print_report("  back trace:\n");
    if (is_code(first))
        print_report("    %#lx\n", first);
    for (unsigned depth = 0; depth < deepest_trace && is_on_stack(frame_pointer); ++depth) {
        const auto* pair = reinterpret_cast<const uint64_t*>(frame_pointer);
        if (!is_code(pair[1]))
            return;
        print_report("    %#lx\n", pair[1]);
        if (pair[0] <= frame_pointer)
            return;
        frame_pointer = pair[0];
    }
}

void report_registers(const TrapFrame& r)
{
    print_report("  rip %016lx rsp %016lx rflags %08lx error %lx\n", r.rip, r.rsp, r.rflags, r.error_code);
    print_report("  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r.rax, r.rbx, r.rcx, r.rdx);
    print_report("  rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", r.rsi, r.rdi, r.rbp, r.r8);
    print_report("  r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", r.r9, r.r10, r.r11, r.r12);
    print_report("  r13 %016lx r14 %016lx r15 %016lx\n", r.r13, r.r14, r.r15);
}

void say_who()
{
    const std::string_view name = partition_name();
    print_report("%.*s: vCPU %u: ", static_cast<int>(name.size()), name.data(),
                 static_cast<unsigned>(current_vcpu()));
}

void begin_crash()
{
    if (crashing.exchange(true, std::memory_order_acq_rel))
        shut_down(SHUTDOWN_crash);
}

uint64_t own_frame_pointer() { return reinterpret_cast<uint64_t>(__builtin_frame_address(0)); }

template <class Callback>
void for_each_exception(Callback callback)
{
    for (unsigned vector = 0; vector < exceptions; ++vector)
        callback(vector, reinterpret_cast<uint64_t>(trap_entries + vector * entry_bytes));
}

trap_info_t trap_of(unsigned vector, uint64_t entry)
{
    return {static_cast<uint8_t>(vector), 0, FLAT_KERNEL_CS, entry};
}

}  // namespace

void handle_trap(const TrapFrame& frame)
{
    begin_crash();
    say_who();
    if (frame.vector == page_fault) {
        const uint64_t address = hardware_guest != nullptr ? hardware_guest->fault_address()
                                                           : this_vcpu().info->arch.cr2;
        print_report("page fault (#PF): %s at %#lx, %s\n", kind_of_access(frame.error_code), address,
                     place_of(address));
    } else {
        print_report("%s\n", name_of_vector(frame.vector));
    }
    report_registers(frame);
    report_trace(frame.rip, frame.rbp);
    end_as_crashed();
}

[[gnu::noinline]] void print_back_trace() { report_trace(0, own_frame_pointer()); }

void on_crash(void (*function)()) { last_words = function; }

void crash(const char* format, ...)
{
    begin_crash();
    say_who();
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    vsniprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    print_report("%s\n", line);
    report_trace(0, own_frame_pointer());
    end_as_crashed();
}

void fatal(const char* format, ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    vsniprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    print_report("bulkhead runtime: %s\n", line);
    shut_down(SHUTDOWN_crash);
}

void end_as_crashed()
{
    if (last_words != nullptr)
        last_words();
    shut_down(SHUTDOWN_crash);
}

void shut_down(unsigned reason)
{
    sched_shutdown_t request = {reason};
    for (;;)
        hypercall<__HYPERVISOR_sched_op>(SCHEDOP_shutdown, as_argument(&request));
}

void power_off() { shut_down(SHUTDOWN_poweroff); }
void reboot() { shut_down(SHUTDOWN_reboot); }

// --- Start-up -----------------------------------------------------------------------

namespace {

void register_callback(unsigned type, const char* entry)
{
    callback_register_t request = {};
    request.type = static_cast<uint16_t>(type);
    request.flags = CALLBACKF_mask_events;
    request.address = reinterpret_cast<uint64_t>(entry);
    if (const long result = hypercall<__HYPERVISOR_callback_op>(CALLBACKOP_register, as_argument(&request)); result != 0)
        fatal("the hypervisor refuses a call-back: error %ld", result);
}

}  // namespace

void install_traps()
{
    trap_info_t table[exceptions + 1] = {};
    for_each_exception([&](unsigned vector, uint64_t entry) { table[vector] = trap_of(vector, entry); });
    if (const long result = hypercall<__HYPERVISOR_set_trap_table>(as_argument(table)); result != 0)
        fatal("the hypervisor refuses the table of exceptions: error %ld", result);
    register_callback(CALLBACKTYPE_event, event_entry);
    register_callback(CALLBACKTYPE_failsafe, failsafe_entry);
}

void describe_traps(vcpu_guest_context_t& context)
{
    for_each_exception([&](unsigned vector, uint64_t entry) { context.trap_ctxt[vector] = trap_of(vector, entry); });
    context.event_callback_eip = reinterpret_cast<uint64_t>(event_entry);
    context.failsafe_callback_eip = reinterpret_cast<uint64_t>(failsafe_entry);
}

}  // namespace bulkhead
