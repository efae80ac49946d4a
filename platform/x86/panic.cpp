// SPDX-License-Identifier: BSD-2-Clause
// See core/panic.hpp. Uses nothing that may be broken or locked: no lock, no allocation, the UART by
// polling. A panic inside a panic prints its sentence only; one inside that halts.
#include "platform/x86/panic.hpp"

#include "core/boot_allocator.hpp"
#include "core/console/console.hpp"
#include "core/guest_frame.hpp"
#include "core/log.hpp"
#include "core/panic.hpp"
#include "core/partition.hpp"
#include "core/plan_check.hpp"
#include "machine/memory.hpp"
#include "machine/power.hpp"
#include "machine/this_cpu.hpp"
#include "platform/x86/back_trace.hpp"
#include "platform/x86/core_space.hpp"
#include "platform/x86/instructions.hpp"
#include "platform/x86/local_apic.hpp"
#include "platform/x86/panic_record.hpp"
#include "platform/x86/traps.hpp"

#include <array>
#include <atomic>
#include <cstdarg>
#include <cstdio>

extern "C" char boot_stack[], boot_stack_end[];

namespace bulkhead {

namespace {

constexpr uint32_t nobody = ~0u;

constinit std::atomic<uint32_t> panicking_stack{nobody};    // which CPU's block, by its place
constinit std::atomic<uint32_t> depth{0};
constinit std::atomic<uint32_t> stopped{0};
constinit std::atomic<uint64_t> other_nmis{0};
constinit const plan::Header* known_plan{nullptr};
constinit bool record_reserved{false};
constinit PanicRecord* record{nullptr};
constinit std::array<char, 512> sentence{};
// Where each other CPU was when it was stopped.
constinit std::array<std::atomic<const GuestFrame*>, plan::max_cpus> stopped_at{};

void emit(std::string_view text)
{
    panic_write(text);
    if (record != nullptr)
        record->append(text);
}

[[gnu::format(printf, 1, 2)]] void print(const char* format, ...)
{
    std::array<char, 200> line;
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(line.data(), line.size(), format, arguments);
    va_end(arguments);
    if (length > 0)
        emit({line.data(), std::min(static_cast<size_t>(length), line.size() - 1)});
}

uint64_t stack_pointer()
{
    uint64_t value;
    asm volatile("mov %%rsp, %0" : "=r"(value));
    return value;
}

// Start-up begins on a stack outside of the CPUs' blocks: then there is no Cpu yet.
bool on_own_stack() { return stack_pointer() - layout::cpu_blocks < plan::max_cpus * layout::cpu_block_size; }

uint32_t stack_number()
{
    return on_own_stack() ? static_cast<uint32_t>((stack_pointer() - layout::cpu_blocks) >> LAYOUT_CPU_SHIFT) : 0;
}

void print_control_registers()
{
    print("cr0 %016lx  cr2 %016lx  cr3 %016lx  cr4 %016lx\n", x86::read_cr0(), x86::read_cr2(), x86::read_cr3(),
          x86::read_cr4());
}

// Of a panic by call only what the caller keeps across calls is known: its frame has no selectors.
void print_registers(const GuestFrame& frame)
{
    if (frame.cs == 0) {
        print("rip %016lx  rsp %016lx  rbp %016lx\n", frame.rip, frame.rsp, frame.rbp);
        print("rbx %016lx  r12 %016lx  r13 %016lx  r14 %016lx  r15 %016lx\n", frame.rbx, frame.r12, frame.r13,
              frame.r14, frame.r15);
        return print_control_registers();
    }
    print("rip %016lx  cs %04x  rflags %08lx  rsp %016lx  ss %04x\n", frame.rip, frame.cs, frame.rflags, frame.rsp,
          frame.ss);
    print("rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx\n", frame.rax, frame.rbx, frame.rcx, frame.rdx);
    print("rsi %016lx  rdi %016lx  rbp %016lx  r8  %016lx\n", frame.rsi, frame.rdi, frame.rbp, frame.r8);
    print("r9  %016lx  r10 %016lx  r11 %016lx  r12 %016lx\n", frame.r9, frame.r10, frame.r11, frame.r12);
    print("r13 %016lx  r14 %016lx  r15 %016lx\n", frame.r13, frame.r14, frame.r15);
    print_control_registers();
}

// A return address may lie behind the end of a function whose last act is a call that never returns.
void print_address(uint64_t address, bool is_return)
{
    const plan::Symbol* symbol = nullptr;
    const uint64_t inside = is_return ? address - 1 : address;
    if (known_plan != nullptr)
        symbol = find_symbol(plan::table<plan::Symbol>(*known_plan, known_plan->symbols), inside);
    if (symbol != nullptr)
        print("  %016lx %s+%#lx\n", address, plan::name_of(*known_plan, *symbol), address - symbol->address);
    else
        print("  %016lx\n", address);
}

// `number`: whose stacks the frame pointer may point into.
void print_back_trace(const GuestFrame& frame, uint32_t number)
{
    constexpr uint16_t privilege = 3;
    print_address(frame.rip, frame.cs == 0);
    if ((frame.cs & privilege) != 0)
        return;
    const uint64_t block = layout::cpu_blocks + number * layout::cpu_block_size;
    const auto page = [block](unsigned first) { return block + first * page_size; };
    const std::array<StackRange, 6> stacks{{{page(13), page(16)},
                                            {page(5), page(6)},
                                            {page(7), page(8)},
                                            {page(9), page(10)},
                                            {page(11), page(12)},
                                            {reinterpret_cast<uint64_t>(boot_stack),
                                             reinterpret_cast<uint64_t>(boot_stack_end)}}};
    // Before CPU 0 has its block only the last one is mapped.
    const auto usable = std::span<const StackRange>(stacks).subspan(on_own_stack() ? 0 : 5);
    std::array<uint64_t, 24> addresses;
    const size_t found = trace_back(frame.rbp, usable, addresses);
    for (size_t i = 0; i < found; ++i)
        print_address(addresses[i], true);
}

void print_other_cpus()
{
    for (uint32_t number = 0; number < stopped_at.size(); ++number) {
        const GuestFrame* frame = stopped_at[number].load(std::memory_order_acquire);
        if (frame == nullptr)
            continue;
        print("CPU %u was %s, rflags %#lx, rsp %016lx:\n", number, (frame->cs & 3) != 0 ? "in a guest" : "in the core",
              frame->rflags, frame->rsp);
        print_back_trace(*frame, number);
    }
}

void print_current()
{
    if (!on_own_stack())
        return;
    const Vcpu* vcpu = this_cpu().current;
    if (vcpu != nullptr && vcpu->partition != nullptr)
        print("current: %s, vCPU %u\n", vcpu->partition->name(), unsigned{vcpu->number.raw()});
}

[[noreturn]] void end()
{
    if (record != nullptr)
        record->seal();
    asm volatile("wbinvd" : : : "memory");
    if (known_plan != nullptr && known_plan->panic_reboots != 0) {
        panic_write("The box is being reset, as the plan says.\n");
        machine::reboot();
    }
    panic_write("The box is halted.\n");
    x86::halt_for_ever();
}

// Only one CPU goes on from here. False: a panic inside of this CPU's panic.
bool take_over()
{
    const uint32_t self = stack_number();
    uint32_t expected = nobody;
    if (!panicking_stack.compare_exchange_strong(expected, self, std::memory_order_acq_rel) && expected != self)
        x86::halt_for_ever();
    return depth.fetch_add(1, std::memory_order_acq_rel) == 0;
}

[[noreturn]] void report(const GuestFrame& frame)
{
    if (!take_over()) {
        if (depth.load(std::memory_order_relaxed) > 2)
            x86::halt_for_ever();
        panic_write("\n*** PANIC inside of the panic: ");
        panic_write(sentence.data());
        panic_write("\n");
        end();
    }
    stop_other_cpus();
    begin_panic_output();
    if (record != nullptr)
        record->clear();
    print("\n*** PANIC on CPU %u: ", stack_number());
    emit(sentence.data());
    emit("\n");
    print_current();
    print_registers(frame);
    print("called from:\n");
    print_back_trace(frame, stack_number());
    print_other_cpus();
    panic_write("the log's last lines:\n");
    panic_write_log_end(20);
    end();
}

}  // namespace

void stop_other_cpus()
{
    const uint32_t others = cpu_count() > 1 ? cpu_count() - 1 : 0;
    if (others == 0)
        return;
    stopped.store(0, std::memory_order_relaxed);
    uint32_t expected = nobody;
    panicking_stack.compare_exchange_strong(expected, stack_number(), std::memory_order_acq_rel);
    send_nmi_to_others();
    for (unsigned i = 0; i < 1'000'000 && stopped.load(std::memory_order_acquire) < others; ++i)
        x86::pause();
}

void handle_nmi(const GuestFrame& frame)
{
    const uint32_t panicking = panicking_stack.load(std::memory_order_acquire);
    if (panicking == nobody || panicking == stack_number()) {
        other_nmis.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    stopped_at[stack_number()].store(&frame, std::memory_order_release);
    stopped.fetch_add(1, std::memory_order_release);
    x86::halt_for_ever();
}

void panic(const char* format, ...)
{
    GuestFrame frame{};
    asm volatile("mov %%rbx, %0; mov %%rbp, %1" : "=m"(frame.rbx), "=m"(frame.rbp));
    asm volatile("mov %%r12, %0; mov %%r13, %1" : "=m"(frame.r12), "=m"(frame.r13));
    asm volatile("mov %%r14, %0; mov %%r15, %1" : "=m"(frame.r14), "=m"(frame.r15));
    frame.rip = reinterpret_cast<uint64_t>(__builtin_return_address(0));
    frame.rsp = stack_pointer();
    // The trace begins with the caller's own frame.
    frame.rbp = *reinterpret_cast<const uint64_t*>(__builtin_frame_address(0));
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence.data(), sentence.size(), format, arguments);
    va_end(arguments);
    report(frame);
}

void panic_at(const GuestFrame& frame, const char* format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence.data(), sentence.size(), format, arguments);
    va_end(arguments);
    report(frame);
}

void set_panic_plan(const plan::Header& header) { known_plan = &header; }

void reserve_panic_record()
{
    record_reserved = take_free_memory({frame_of(HostPhysical(panic_record_physical)), frames_for(panic_record_bytes)});
}

void open_panic_record()
{
    if (record_reserved)
        record = machine::physical_pointer<PanicRecord>(HostPhysical(panic_record_physical));
}

void print_previous_panic()
{
    if (record == nullptr)
        return;
    std::string_view text = record->sealed_text();
    if (text.empty())
        return;
    log("The last run ended in a panic:");
    while (!text.empty()) {
        const size_t end_of_line = std::min(text.find('\n'), text.size());
        if (end_of_line != 0)
            log("| %.*s", static_cast<int>(end_of_line), text.data());
        text.remove_prefix(std::min(end_of_line + 1, text.size()));
    }
    record->clear();
}

}  // namespace bulkhead
