// SPDX-License-Identifier: BSD-2-Clause
// Claim: in xAPIC mode the local APIC is a page of registers. Instructions that reach for it do there what
// they do in memory, flags included; IPIs, the timer and the end of interrupts work by it; the other mode
// and its MSRs are not offered.
#include "apic_page.hpp"

namespace {

constexpr uint8_t vector_self = 0x61, vector_timer = 0x71;
volatile unsigned counts[256];
volatile uint64_t resume;

struct Seen {
    uint64_t result, flags;
    uint32_t memory;
};
constexpr uint64_t judged_flags = 0x8D5;
constexpr uint32_t before = 0x35;

// The same code at the register and in memory. It finds the place in RDI, and what it changes in RAX.
template <class Code>
void same(const char* what, uint64_t operand, Code code)
{
    alignas(16) static volatile uint32_t memory;
    const auto run = [&](volatile uint32_t& at) {
        at = before;
        Seen seen{operand, 0, 0};
        code(reinterpret_cast<uint64_t>(&at), seen.result, seen.flags);
        seen.memory = at;
        return seen;
    };
    const Seen wanted = run(memory);
    const Seen got = run(apic_register(page_tpr));
    equal(wanted.result, got.result, what);
    equal(wanted.flags & judged_flags, got.flags & judged_flags, what);
    equal(wanted.memory, got.memory, what);
}

#define SAME(operand, instruction)                                                                            \
    same(instruction, operand, [](uint64_t at, uint64_t& result, uint64_t& flags) {                            \
        asm volatile("xor %%r8d, %%r8d\n" instruction "\n pushfq\n pop %1" : "+a"(result), "=&r"(flags), "+D"(at) \
                     : : "memory", "cc", "r8", "r9");                                                         \
    })

void instructions()
{
    SAME(0x1122334455667788, "mov (%%rdi), %%eax");
    SAME(0x22, "mov %%eax, (%%rdi)");
    SAME(0x22, "movl $0x77, (%%rdi)");
    SAME(0x22, "xchg %%eax, (%%rdi)");
    SAME(~uint64_t{0}, "movzbl (%%rdi), %%eax");
    SAME(~uint64_t{0}, "movzwl (%%rdi), %%eax");
    SAME(~uint64_t{0}, "movzbq (%%rdi), %%rax");
    SAME(0x0F, "add %%eax, (%%rdi)");
    SAME(0xFFFF'FFF0, "add (%%rdi), %%eax");
    SAME(0x05, "sub %%eax, (%%rdi)");
    SAME(0x35, "sub (%%rdi), %%eax");
    SAME(0x7FFF'FFFF, "sub (%%rdi), %%eax");
    SAME(0xC0, "or %%eax, (%%rdi)");
    SAME(0x8000'0000, "or (%%rdi), %%eax");
    SAME(0x11, "and %%eax, (%%rdi)");
    SAME(0x40, "and (%%rdi), %%eax");
    SAME(0x3C, "xor %%eax, (%%rdi)");
    SAME(0x35, "xor (%%rdi), %%eax");
    SAME(0x36, "cmp %%eax, (%%rdi)");
    SAME(0x34, "cmp (%%rdi), %%eax");
    SAME(0x02, "test %%eax, (%%rdi)");
    SAME(0, "testl $0x35, (%%rdi)");
    SAME(0, "cmpl $0x35, (%%rdi)");
    SAME(0, "cmpl $-1, (%%rdi)");
    SAME(0, "orl $0x40, (%%rdi)");
    SAME(0, "lock orl $0x40, (%%rdi)");
    SAME(0, "andl $-16, (%%rdi)");
    SAME(0, "mov $0x12, %%r9d\n mov %%r9d, (%%rdi)\n mov (%%rdi,%%r8,8), %%eax");
    SAME(0, "addl $0x1, 0x0(%%rdi,%%r8,4)");
}

void accumulator_addresses()
{
    uint32_t value = 0;
    apic_register(page_tpr) = before;
    asm volatile("movabs 0xfee00080, %0" : "=a"(value));
    equal(before, value, "movabs");
    asm volatile("movabs %0, 0xfee00080" : : "a"(0x44) : "memory");
    equal(0x44, apic_register(page_tpr), "movabs to memory");
    apic_register(page_tpr) = 0;
}

void registers()
{
    equal(0, apic_register(page_id), "id");
    equal(0x60014, apic_register(page_version), "version");
    apic_register(page_ldr) = 0x01FF'FFFF;
    equal(0x0100'0000, apic_register(page_ldr), "LDR");
    equal(0xFFFF'FFFF, apic_register(page_dfr), "DFR");
    apic_register(page_timer) = 0xFFFF'FFFF;
    equal(0x700FF, apic_register(page_timer), "what is not there of the timer's vector");
    apic_register(page_timer) = 0x10000;
    apic_register(page_error) = 0;
    equal(0, apic_register(0x40), "a register that is not there");
    equal(0x80, apic_register(page_error), "error status");
    apic_register(page_error) = 0;
}

void wait_for(uint8_t vector, unsigned count, const char* what)
{
    for (unsigned i = 0; i < 1000 && counts[vector] < count; ++i)
        asm volatile("sti; nop; cli" : : : "memory");
    equal(count, counts[vector], what);
    equal(0, apic_register(page_service + vector / 32 * 16), "in service");
}

void interrupts()
{
    apic_register(page_command) = 0x44000 | vector_self;
    wait_for(vector_self, 1, "IPI by shorthand");
    apic_register(page_destination) = 0;
    apic_register(page_command) = 0x4000 | vector_self;
    wait_for(vector_self, 2, "IPI to a physical id");
    apic_register(page_destination) = 0x0100'0000;
    apic_register(page_command) = 0x4800 | vector_self;
    wait_for(vector_self, 3, "IPI to a logical id");
    equal(0x4800 | vector_self, apic_register(page_command), "the command, read back");
    apic_register(page_divide) = 0xB;
    apic_register(page_timer) = vector_timer;
    apic_register(page_initial) = 100'000;
    for (unsigned i = 0; i < 1000 && counts[vector_timer] == 0; ++i)
        asm volatile("sti; hlt; cli" : : : "memory");
    wait_for(vector_timer, 1, "timer");
}

// #GP: the handler goes on at 1.
INLINE bool is_refused(uint32_t msr)
{
    const unsigned so_far = counts[13];
    asm volatile("lea 1f(%%rip), %%rax\n mov %%rax, %[to]\n rdmsr\n 1:" : [to] "=m"(resume) : "c"(msr) : "rax", "rdx", "memory");
    return counts[13] == so_far + 1;
}

void the_other_mode()
{
    uint32_t a = 1, b = 0, c = 0, d = 0;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    equal(0, c >> 21 & 1, "x2APIC in CPUID");
    equal(0xFEE0'0900, read_msr(0x1B), "IA32_APIC_BASE");
    expect(is_refused(0x802), "x2APIC's id", 0);
    expect(is_refused(0x80B), "x2APIC's EOI", 0);
}

}  // namespace

extern "C" void on_trap(Trap* trap)
{
    const auto vector = static_cast<uint8_t>(trap->vector);
    counts[vector] = counts[vector] + 1;
    if (vector == vector_self || vector == vector_timer) {
        apic_register(page_eoi) = 0;
    } else if (vector == 13) {
        trap->rip = resume;
    } else {
        print("not expected: vector ");
        print_number(vector);
        print(" at ");
        print_number(trap->rip);
        print("\n");
        shut_down(SHUTDOWN_crash);
    }
}

extern "C" void guest_main()
{
    write_msr(0x40000000, reinterpret_cast<uint64_t>(hypercall_page));
    set_up_traps();
    map_apic_page();
    the_other_mode();
    apic_register(page_spurious) = 0x1FF;
    instructions();
    accumulator_addresses();
    registers();
    interrupts();
    print(failures == 0 ? "PASS apic_page\n" : "FAIL apic_page\n");
    shut_down(SHUTDOWN_poweroff);
}
