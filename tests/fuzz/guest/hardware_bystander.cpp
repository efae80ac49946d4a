// SPDX-License-Identifier: BSD-2-Clause
// Claim: whatever another partition on the same CPU does, what this hardware guest has in its CPU is its own:
// general, control, debug and vector registers, MSRs, segment bases, local APIC, memory. It looks again after
// each millisecond of sleep until the box is switched off.
#include "choice.hpp"
#include "hardware/cpu.hpp"

#include <iterator>

namespace {

constexpr uint8_t timer_vector = 0x70;
volatile unsigned ticks;
uint64_t memory[4096];

struct KeptMsr {
    const char* name;
    uint32_t number;
    uint64_t bits;
};
constexpr uint64_t canonical = 0x00007FFF'FFFFFFFF;
// FS and GS bases included: this guest uses neither.
constexpr KeptMsr kept[] = {
    {"STAR", 0xC0000081, ~uint64_t{0}}, {"LSTAR", 0xC0000082, canonical}, {"CSTAR", 0xC0000083, canonical},
    {"FMASK", 0xC0000084, 0xFFFFFFFF}, {"FS base", 0xC0000100, canonical}, {"GS base", 0xC0000101, canonical},
    {"kernel GS base", 0xC0000102, canonical}, {"SYSENTER CS", 0x174, 0xFFFF}, {"SYSENTER ESP", 0x175, canonical},
    {"SYSENTER EIP", 0x176, canonical},
};

INLINE uint64_t read_cr2() { uint64_t v; asm volatile("mov %%cr2, %0" : "=r"(v)); return v; }
INLINE void write_cr2(uint64_t v) { asm volatile("mov %0, %%cr2" : : "r"(v)); }
INLINE uint64_t read_dr(unsigned number)
{
    uint64_t v = 0;
    switch (number) {
    case 0: asm volatile("mov %%dr0, %0" : "=r"(v)); break;
    case 1: asm volatile("mov %%dr1, %0" : "=r"(v)); break;
    case 2: asm volatile("mov %%dr2, %0" : "=r"(v)); break;
    default: asm volatile("mov %%dr3, %0" : "=r"(v)); break;
    }
    return v;
}
void write_drs(const uint64_t (&v)[4])
{
    asm volatile("mov %0, %%dr0\n mov %1, %%dr1\n mov %2, %%dr2\n mov %3, %%dr3" : : "r"(v[0]), "r"(v[1]), "r"(v[2]), "r"(v[3]));
}
void write_vectors(uint64_t v) { asm volatile("movq %0, %%xmm0\n movq %0, %%xmm7\n movq %0, %%xmm15" : : "r"(v)); }
uint64_t read_vectors(uint64_t wanted)
{
    uint64_t a, b, c;
    asm volatile("movq %%xmm0, %0\n movq %%xmm7, %1\n movq %%xmm15, %2" : "=r"(a), "=r"(b), "=r"(c));
    return (a ^ wanted) | (b ^ wanted) | (c ^ wanted);
}

void sleep_a_millisecond()
{
    const unsigned before = ticks;
    write_msr(apic_initial, 1'000'000);
    while (ticks == before)
        asm volatile("sti; hlt; cli" : : : "memory");
}

// General registers over a stretch in which others may run.
uint64_t check_general(uint64_t value)
{
    uint64_t wrong = 0;
    asm volatile("mov %%rax, %%rbx\n lea 1(%%rax), %%r14\n lea 2(%%rax), %%r8\n lea 3(%%rax), %%r15\n"
                 "mov $20000, %%ecx\n 1: dec %%ecx\n jnz 1b\n"
                 "xor %%rax, %%rbx\n lea 1(%%rax), %%rdx\n xor %%rdx, %%r14\n lea 2(%%rax), %%rdx\n xor %%rdx, %%r8\n"
                 "lea 3(%%rax), %%rdx\n xor %%rdx, %%r15\n"
                 "or %%r14, %%rbx\n or %%r8, %%rbx\n or %%r15, %%rbx\n mov %%rbx, %[wrong]"
                 : [wrong] "+m"(wrong) : "a"(value) : "rbx", "rcx", "rdx", "r14", "r8", "r15", "cc");
    return wrong;
}

struct State {
    uint64_t msrs[std::size(kept)], debug[4], fault_address, vectors;
};

State choose(Choice& choice)
{
    State state;
    for (size_t i = 0; i < std::size(kept); ++i) {
        state.msrs[i] = choice.next() & kept[i].bits;
        write_msr(kept[i].number, state.msrs[i]);
    }
    for (uint64_t& value : state.debug)
        value = choice.next() & canonical;
    write_drs(state.debug);
    state.fault_address = choice.next();
    write_cr2(state.fault_address);
    state.vectors = choice.next();
    write_vectors(state.vectors);
    return state;
}

void check(const State& state, uint64_t cr0, uint64_t cr3, uint64_t cr4)
{
    for (size_t i = 0; i < std::size(kept); ++i)
        equal(state.msrs[i], read_msr(kept[i].number), kept[i].name);
    for (unsigned i = 0; i < 4; ++i)
        equal(state.debug[i], read_dr(i), "debug register");
    equal(0x400, read_dr7(), "DR7");
    equal(state.fault_address, read_cr2(), "CR2");
    equal(0, read_vectors(state.vectors), "vector registers");
    equal(cr0, read_cr0(), "CR0");
    equal(cr4, read_cr4(), "CR4");
    uint64_t now;
    asm volatile("mov %%cr3, %0" : "=r"(now));
    equal(cr3, now, "CR3");
    equal(0x500, read_msr(0xC0000080) & 0x501, "EFER");
    equal(0x0007040600070406, read_msr(0x277), "PAT");
    equal(0x1FF, read_msr(apic_spurious), "the local APIC");
    equal(0, read_msr(apic_tpr), "task priority");
    asm volatile("pushfq\n pop %0" : "=r"(now));
    equal(2, now & 0x257702, "flags");
}

void check_memory(unsigned round)
{
    constexpr uint64_t step = 0x9e3779b97f4a7c15;
    for (size_t i = round % 16; i < std::size(memory); i += 16) {
        if (round >= 16)
            equal((round - 16 + i) * step, memory[i], "memory");
        memory[i] = (round + i) * step;
    }
}

}  // namespace

extern "C" void on_trap(Trap* trap)
{
    if (trap->vector == timer_vector) {
        ticks = ticks + 1;
        write_msr(apic_eoi, 0);
        return;
    }
    print("FAIL fuzz_hardware_bystander: vector ");
    print_number(trap->vector);
    print(" at ");
    print_number(trap->rip);
    print("\n");
    shut_down(SHUTDOWN_crash);
}

extern "C" void guest_main()
{
    constexpr uint64_t sse = 0x600;
    constexpr unsigned between_lines = 1000;
    write_msr(0x40000000, reinterpret_cast<uint64_t>(hypercall_page));
    set_up_traps();
    write_cr4(read_cr4() | sse);
    write_dr7(0x400);
    write_msr(apic_spurious, 0x1FF);
    write_msr(apic_divide, 0xB);
    write_msr(apic_timer, timer_vector);
    const uint64_t cr0 = read_cr0(), cr4 = read_cr4();
    uint64_t cr3;
    asm volatile("mov %%cr3, %0" : "=r"(cr3));
    Choice choice(read_tsc());
    for (unsigned round = 0;; ++round) {
        const State state = choose(choice);
        if (round % 2 == 0)
            sleep_a_millisecond();
        equal(0, check_general(round * 0x0101010101010101), "general registers");
        check(state, cr0, cr3, cr4);
        check_memory(round);
        if (failures != 0) {
            print("FAIL fuzz_hardware_bystander\n");
            shut_down(SHUTDOWN_crash);
        }
        if (round % between_lines == between_lines - 1) {
            print("fuzz_hardware_bystander: ");
            print_number(round + 1);
            print(" rounds intact\n");
        }
    }
}
