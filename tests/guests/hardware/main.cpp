// SPDX-License-Identifier: BSD-2-Clause
// Claim: a hardware guest's CPU behaves as the manuals say wherever the core has a hand in it: control
// registers, MSRs, debug exceptions, interrupts and NMIs, and refused instructions.
#include "cpu.hpp"

#include <initializer_list>

namespace {

// What the last trap was; `resume` is where a fault goes on.
volatile uint64_t last_vector, last_error, last_rip, last_status, resume, traps;
volatile uint32_t count[256];
volatile uint32_t nmi_depth, deepest_nmi;
volatile uint64_t nmi_rip[2];
volatile bool step_behind_nmi;

// The vector that the instruction faults with, or 256.
#define FAULT_OF(...)                                                                           \
    __extension__({                                                                             \
        const uint64_t before = traps;                                                          \
        last_vector = 256;                                                                      \
        asm volatile("lea 77f(%%rip), %%r11; mov %%r11, %[to]\n" : [to] "=m"(resume) : : "r11", "memory"); \
        __VA_ARGS__;                                                                            \
        asm volatile("77:" : : : "memory");                                                     \
        resume = 0;                                                                             \
        traps == before ? uint64_t{256} : last_vector;                                          \
    })

// --- The claims --------------------------------------------------------------------------------------

void control_registers()
{
    constexpr uint64_t cd = 1u << 30, nw = 1u << 29, mce = 0x40, pge = 0x80, ts = 8;
    const uint64_t cr0 = read_cr0();
    write_cr0(cr0 | cd);
    equal(cr0 | cd, read_cr0(), "CR0.CD set");
    write_cr0(cr0 | ts | 0x20);
    equal(cr0 | ts | 0x20, read_cr0(), "CR0.TS and NE set, CD clear");
    write_cr0(cr0);
    equal(cr0, read_cr0(), "CR0 as before");
    // QEMU takes these, and then refuses to enter the guest.
    if (is_strict()) {
        equal(13, FAULT_OF(write_cr0(cr0 | nw)), "CR0.NW without CD");
        equal(13, FAULT_OF(write_cr0(cr0 & ~uint64_t{1})), "CR0.PG without PE");
    }
    equal(cr0, read_cr0(), "CR0 after faults");
    const uint64_t cr4 = read_cr4();
    write_cr4(cr4 | mce);
    equal(cr4 | mce, read_cr4(), "CR4.MCE set");
    write_cr4(cr4);
    equal(cr4, read_cr4(), "CR4 as before");
    // VMXE, SMXE, LA57, PCIDE, PKE, CET: CPUID offers none of them.
    for (const unsigned bit : {13u, 14u, 12u, 17u, 22u, 23u})
        equal(13, FAULT_OF(write_cr4(cr4 | uint64_t{1} << bit)), "CR4 with a bit that is not offered");
    equal(13, FAULT_OF(write_cr4(cr4 & ~uint64_t{0x20})), "CR4.PAE cleared in long mode");
    asm volatile("mov %0, %%r9\n mov %%r9, %%cr4" : : "r"(cr4 | pge) : "r9", "memory");
    equal(cr4 | pge, read_cr4(), "CR4.PGE set out of R9");
    write_cr4(cr4);
    equal(cr4, read_cr4(), "CR4 after faults");
}

void model_specific_registers()
{
    constexpr uint32_t efer = 0xC0000080, pat = 0x277, lstar = 0xC0000082, kernel_gs = 0xC0000102, fs = 0xC0000100;
    equal(13, FAULT_OF((void)read_msr(0xDEAD)), "RDMSR of nothing");
    equal(0, last_error, "its error code");
    equal(13, FAULT_OF(write_msr(0xDEAD, 0)), "WRMSR of nothing");
    equal(13, FAULT_OF(write_msr(efer, read_msr(efer) | 2)), "EFER with a reserved bit");
    equal(13, FAULT_OF(write_msr(efer, read_msr(efer) & ~uint64_t{0x100})), "EFER.LME cleared in long mode");
    equal(0x500, read_msr(efer) & 0x500, "EFER.LME and LMA");
    equal(13, FAULT_OF(write_msr(pat, 2)), "PAT with a type that does not exist");
    write_msr(pat, 0x0007040600070401);
    equal(0x0007040600070401, read_msr(pat), "PAT");
    for (const uint32_t msr : {lstar, kernel_gs, fs}) {
        write_msr(msr, 0x1234'5678);
        equal(0x1234'5678, read_msr(msr), "an MSR that is switched");
        if (is_strict())
            equal(13, FAULT_OF(write_msr(msr, uint64_t{1} << 60)), "not canonical");
    }
    write_msr(fs, 0);
}

void refused_instructions()
{
    equal(6, FAULT_OF(asm volatile(".byte 0x0f, 0x01, 0xc4")), "VMXOFF");
    equal(6, FAULT_OF(asm volatile(".byte 0x0f, 0x01, 0xd8" : : "a"(0))), "VMRUN");
    if (!is_bochs_ryzen())
        equal(6, FAULT_OF(asm volatile("monitor" : : "a"(0x1000), "c"(0), "d"(0))), "MONITOR");
    equal(6, FAULT_OF(asm volatile("rdpmc" : : "c"(0) : "eax", "edx")), "RDPMC");
    asm volatile("wbinvd" : : : "memory");
    uint8_t byte = 0;
    asm volatile("inb $0x60, %0" : "=a"(byte));
    equal(0xFF, byte, "IN");
    asm volatile("outb %0, $0x80" : : "a"(byte));
}

void extended_state()
{
    uint32_t a = 1, b, c = 0, d;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if ((c >> 26 & 1) == 0)
        return;
    write_cr4(read_cr4() | 0x40000);
    const auto set = [](uint32_t which, uint32_t value) __attribute__((always_inline)) { asm volatile("xsetbv" : : "c"(which), "a"(value), "d"(0)); };
    set(0, 3);
    uint32_t low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    equal(3, low, "XCR0");
    equal(13, FAULT_OF(set(0, 2)), "XCR0 without x87");
    equal(13, FAULT_OF(set(1, 3)), "XCR1");
    set(0, 1);
}

void debug_exceptions()
{
    uint64_t wanted;
    const uint32_t before = count[1];
    uint32_t a = 0, b, c = 0, d;
    // Over an instruction that the hypervisor carries out.
    asm volatile("lea 1f(%%rip), %[wanted]\n pushfq\n orq $0x100, (%%rsp)\n popfq\n cpuid\n 1: nop"
                 : [wanted] "=&r"(wanted), "+a"(a), "=b"(b), "+c"(c), "=d"(d) : : "memory");
    equal(before + 1, count[1], "single steps over CPUID");
    equal(wanted, last_rip, "RIP after the step");
    equal(0x4000, last_status & 0x400F, "DR6 after the step");
    // QEMU 7.2 knows no INT1.
    if (is_strict()) {
        asm volatile("lea 1f(%%rip), %0\n .byte 0xf1\n 1:" : "=&r"(wanted) : : "memory");
        equal(before + 2, count[1], "INT1");
        equal(wanted, last_rip, "RIP after INT1");
    }
    const uint32_t until = count[1];
    asm volatile("lea 1f(%%rip), %0\n mov %0, %%dr0\n mov %1, %%dr7\n nop\n 1: nop"
                 : "=&r"(wanted) : "r"(uint64_t{0x401}) : "memory");
    equal(until + 1, count[1], "breakpoint");
    equal(wanted, last_rip, "RIP at the breakpoint");
    if (!is_bochs_ryzen())
        equal(1, last_status & 0xF, "DR6 at the breakpoint");
    equal(0x400, read_dr7(), "DR7");
}

void interrupts()
{
    constexpr uint8_t first = 0x50, second = 0x60, timer = 0x70;
    write_msr(apic_spurious, 0x1FF);
    write_msr(apic_self, first);
    equal(0, count[first], "interrupt while IF is off");
    uint64_t wanted;
    uint32_t a = 0, b, c = 0, d;
    asm volatile("lea 1f(%%rip), %[wanted]\n sti\n cpuid\n 1: nop\n cli"
                 : [wanted] "=&r"(wanted), "+a"(a), "=b"(b), "+c"(c), "=d"(d) : : "memory");
    equal(1, count[first], "interrupt after STI");
    equal(wanted, last_rip, "STI's shadow");
    asm volatile("sti");
    write_msr(apic_tpr, 0x50);
    write_msr(apic_self, first);
    equal(1, count[first], "interrupt below the task priority");
    write_msr(apic_self, second);
    equal(1, count[second], "interrupt above the task priority");
    write_msr(apic_tpr, 0);
    equal(2, count[first], "interrupt once the priority is down");
    write_cr8(7);
    equal(0x70, read_msr(apic_tpr), "TPR by CR8");
    equal(7, read_cr8(), "CR8");
    write_msr(apic_self, first);
    equal(2, count[first], "interrupt below CR8");
    write_cr8(6);
    equal(2, count[first], "interrupt below a lower CR8");
    write_cr8(4);
    equal(3, count[first], "interrupt once CR8 is down");
    write_msr(apic_tpr, 0x93);
    equal(9, read_cr8(), "CR8 by TPR");
    equal(0x93, read_msr(apic_tpr), "TPR");
    asm volatile("cli");
    write_msr(apic_self, first);
    write_cr8(0);
    equal(3, count[first], "interrupt with CR8 down while IF is off");
    asm volatile("sti; nop");
    equal(4, count[first], "interrupt once IF is on");
    if (is_strict())
        equal(13, FAULT_OF(write_cr8(16)), "CR8 with a reserved bit");
    asm volatile("cli");
    write_msr(apic_divide, 0xB);
    write_msr(apic_timer, timer);
    write_msr(apic_initial, 200'000);
    asm volatile("sti; hlt; cli" : : : "memory");
    equal(1, count[timer], "one-shot timer");
    write_msr(apic_timer, timer | 2u << 17);
    write_msr(tsc_deadline, read_tsc() + 50'000);
    while (count[timer] == 1)
        asm volatile("sti; hlt; cli" : : : "memory");
    equal(2, count[timer], "TSC deadline");
}

// The box's interrupts come in meanwhile.
void long_runs_with_interrupts_off()
{
    const uint64_t begin = read_tsc();
    uint64_t rounds = 0;
    while (read_tsc() - begin < 3'000'000)
        ++rounds;
    expect(rounds > 1000, "rounds with interrupts off", rounds);
}

void non_maskable_interrupts()
{
    write_msr(apic_command, nmi_to_self);
    asm volatile("nop; nop");
    equal(2, count[2], "NMIs: one, and one of two from its handler");
    equal(1, deepest_nmi, "NMIs in each other");
    equal(nmi_rip[0], nmi_rip[1], "instructions between them");
    // The trap flag that a handler's IRET brings is the guest's own.
    const uint32_t steps = count[1];
    step_behind_nmi = true;
    write_msr(apic_command, nmi_to_self);
    asm volatile("nop; nop");
    equal(4, count[2], "NMIs, again two");
    equal(steps + 1, count[1], "steps behind an NMI");
}

}  // namespace

extern "C" void on_trap(Trap* trap)
{
    constexpr uint64_t flag_trap = 0x100, flag_resume = 0x10000;
    const uint64_t vector = trap->vector;
    traps = traps + 1;
    count[vector] = count[vector] + 1;
    last_vector = vector;
    last_error = trap->error_code;
    last_rip = trap->rip;
    if (vector >= 32) {
        write_msr(apic_eoi, 0);
    } else if (vector == 1) {
        uint64_t status;
        asm volatile("mov %%dr6, %0" : "=r"(status));
        last_status = status;
        asm volatile("mov %0, %%dr6" : : "r"(uint64_t{0xFFFF0FF0}));
        write_dr7(0x400);
        trap->rflags = (trap->rflags & ~flag_trap) | flag_resume;
    } else if (vector == 2) {
        nmi_depth = nmi_depth + 1;
        if (nmi_depth > deepest_nmi)
            deepest_nmi = nmi_depth;
        nmi_rip[(count[2] - 1) % 2] = trap->rip;
        if (count[2] % 2 == 1) {
            write_msr(apic_command, nmi_to_self);
            write_msr(apic_command, nmi_to_self);
            if (step_behind_nmi)
                trap->rflags |= flag_trap;
        }
        asm volatile("nop; nop");
        nmi_depth = nmi_depth - 1;
    } else if (resume != 0) {
        trap->rip = resume;
        resume = 0;
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
    control_registers();
    model_specific_registers();
    refused_instructions();
    extended_state();
    debug_exceptions();
    interrupts();
    long_runs_with_interrupts_off();
    non_maskable_interrupts();
    print(failures == 0 ? "PASS hardware\n" : "FAIL hardware\n");
    shut_down(SHUTDOWN_poweroff);
}
