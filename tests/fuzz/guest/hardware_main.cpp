// SPDX-License-Identifier: BSD-2-Clause
// A hardware guest that executes random instructions in a random mode of the CPU, again and again, from a seed
// that it prints. Its exception tables, its timer, and its second vCPU, which sends NMIs and then INIT and a
// start-up IPI, bring it back; if all of that is spoilt, the core ends this life and begins the next.
// `seed=N` on the command line repeats a run (else it is the time), `operations=N` says how many.
#include "hardware_fuzz.hpp"

extern "C" {
#include <xen/arch-x86/hvm/start_info.h>

uint32_t run_random(const uint64_t* high_registers);
[[noreturn]] void second_main();
extern const uint8_t trampoline[], trampoline_end[], stubs_16[], stubs_32[], stubs_64[];
extern uint8_t table_4[], gdt[], gdt_end[];
extern uint32_t start_info_address;
}

namespace {

enum class Kind : unsigned {
    real, protected_16, flat, two_levels, pae, compatibility, compatibility_16, wide,
    user_pae, user_wide, virtual_8086, count,
};

struct [[gnu::aligned(4096)]] Table {
    uint64_t entry[512];
};
Table top, pointers_wide, pointers_pae, directory, pages, directory_32, pages_32;

constexpr unsigned vectors_kept = 33, between_lines = 32;
constexpr uint64_t present = 1, writable = 2, user = 4;
constexpr uint32_t timer_vector = 0x70;

struct Low {
    uint8_t descriptors[DESCRIPTORS_END];
    uint8_t trampoline[0x2000];
    uint64_t gates64[512], gates32[256];
    uint32_t tasks[64];
};
Low pristine;                       // what each operation begins with
uint64_t seed, goal = 2000;
volatile uint64_t operations;
volatile bool running;              // between run_random()'s begin and end
uint32_t ended_by[vectors_kept];
uint32_t restarted;

template <typename T>
T* at(uint64_t address)
{
    T* pointer;
    asm("" : "=r"(pointer) : "0"(address));
    return pointer;
}

uint32_t address_of(const void* object) { return static_cast<uint32_t>(reinterpret_cast<uint64_t>(object)); }
uint32_t moved(const uint8_t* code) { return TRAMPOLINE + static_cast<uint32_t>(code - trampoline); }

uint64_t number_behind(const char* name, uint64_t otherwise)
{
    const char* line = at<const char>(at<hvm_start_info>(start_info_address)->cmdline_paddr);
    for (; *line != '\0'; ++line) {
        const char* word = line;
        const char* wanted = name;
        while (*wanted != '\0' && *word == *wanted) {
            ++word;
            ++wanted;
        }
        if (*wanted != '\0')
            continue;
        uint64_t value = 0;
        for (; *word >= '0' && *word <= '9'; ++word)
            value = value * 10 + static_cast<uint64_t>(*word - '0');
        return value;
    }
    return otherwise;
}

void print_decimal(uint64_t value)
{
    char digits[21] = {};
    char* first = digits + 20;
    do {
        *--first = static_cast<char>('0' + value % 10);
        value /= 10;
    } while (value != 0);
    print(first);
}

void print_progress()
{
    print("fuzz_hardware: ");
    print_decimal(operations);
    print(" operations\n");
}

// --- What is at its place in each operation ---------------------------------------------------------

uint64_t segment(uint64_t base, uint64_t limit, uint64_t rights)
{
    return (limit & 0xFFFF) | (base & 0xFF'FFFF) << 16 | rights << 40 | (limit >> 16) << 48 | (base >> 24) << 56;
}

void make_descriptors()
{
    constexpr uint32_t tasks_32 = TASKS + 128;
    auto* entry = reinterpret_cast<uint64_t*>(pristine.descriptors);
    std::memcpy(entry, gdt, 8 * sizeof(uint64_t));      // the kernel's selectors mean the same
    entry[CODE16 / 8] = segment(RANDOM_CODE, 0xFFFF, 0x9B);
    entry[8] = 0x00AFFB000000FFFF;
    entry[9] = 0x00CFFB000000FFFF;
    entry[10] = 0x00CFF3000000FFFF;
    entry[11] = segment(TASKS, 0x67, 0x89);
    entry[12] = 0;
    entry[13] = segment(tasks_32, 0x67, 0x89);
    entry[CODE16_FLAT / 8] = segment(0, 0xFFFF, 0x9B);
    // Stacks: the first of the table of long mode, and ring 0's of the others.
    pristine.tasks[1] = EXCEPTION_STACK;
    pristine.tasks[9] = EXCEPTION_STACK;
    pristine.tasks[25] = 0x68 << 16;
    pristine.tasks[32 + 1] = EXCEPTION_STACK;
    pristine.tasks[32 + 2] = DATA32;
    pristine.tasks[32 + 25] = 0x68 << 16;
}

void make_gates()
{
    for (uint32_t vector = 0; vector < 256; ++vector) {
        const uint32_t stub = (vector < 32 ? vector : 32) * STUB_BYTES;
        const uint64_t wide = moved(stubs_64) + stub, plain = moved(stubs_32) + stub;
        constexpr uint64_t for_all = 0xEE, own_stack = 1;
        pristine.gates64[2 * vector] = (wide & 0xFFFF) | uint64_t{CODE64} << 16 | own_stack << 32 | for_all << 40 | wide >> 16 << 48;
        pristine.gates32[vector] = (plain & 0xFFFF) | uint64_t{CODE32} << 16 | for_all << 40 | plain >> 16 << 48;
    }
}

// The first MiB but for the kernel: what is executed and where exceptions lead cannot be written to.
void make_tables()
{
    auto* narrow = reinterpret_cast<uint32_t*>(pages_32.entry);
    for (uint32_t page = 0; page < 256; ++page) {
        const uint32_t address = page << 12;
        const bool keep = address >= TRAMPOLINE && address < PROTECTED_END;
        const uint64_t bits = present | (keep ? 0 : writable | user);
        pages.entry[page] = address | bits;
        narrow[page] = static_cast<uint32_t>(address | bits);
    }
    constexpr uint64_t all = present | writable | user;
    directory.entry[0] = address_of(&pages) | all;
    pointers_wide.entry[0] = address_of(&directory) | all;
    top.entry[0] = address_of(&pointers_wide) | all;
    pointers_pae.entry[0] = address_of(&directory) | present;
    *reinterpret_cast<uint32_t*>(directory_32.entry) = address_of(&pages_32) | static_cast<uint32_t>(all);
}

void put_low()
{
    for (uint32_t vector = 0; vector < 256; ++vector)
        at<uint32_t>(0)[vector] = moved(stubs_16) + (vector < 32 ? vector : 32) * STUB_BYTES;
    std::memcpy(at<void>(DESCRIPTORS), pristine.descriptors, sizeof(pristine.descriptors));
    std::memcpy(at<void>(TRAMPOLINE), pristine.trampoline, sizeof(pristine.trampoline));
    std::memcpy(at<void>(GATES64), pristine.gates64, sizeof(pristine.gates64));
    std::memcpy(at<void>(GATES32), pristine.gates32, sizeof(pristine.gates32));
    std::memcpy(at<void>(TASKS), pristine.tasks, sizeof(pristine.tasks));
}

// --- One operation ------------------------------------------------------------------------------------

struct Selectors {
    uint32_t cs, ss, ds;
};

Selectors selectors_of(Kind kind)
{
    switch (kind) {
    case Kind::wide:
        return {CODE64, DATA32, DATA32};
    case Kind::user_wide:
        return {CODE64_USER, DATA_USER, DATA_USER};
    case Kind::user_pae:
        return {CODE32_USER, DATA_USER, DATA_USER};
    case Kind::protected_16:
    case Kind::compatibility_16:
        return {CODE16, DATA32, DATA32};
    case Kind::real:
    case Kind::virtual_8086:
        return {RANDOM_CODE >> 4, 0, ARENA >> 4};
    default:
        return {CODE32, DATA32, DATA32};
    }
}

void set_paging(Kind kind, Block& block)
{
    constexpr uint32_t always = CR0_PE | 0x10, write_protect = 0x10000;
    const bool wide = kind == Kind::wide || kind == Kind::user_wide || kind == Kind::compatibility ||
                      kind == Kind::compatibility_16;
    const bool pae = kind == Kind::pae || kind == Kind::user_pae;
    const bool paged = wide || pae || kind == Kind::two_levels || kind == Kind::virtual_8086;
    block.efer = wide ? EFER_LME : 0;
    block.cr3 = wide ? address_of(&top) : pae ? address_of(&pointers_pae) : address_of(&directory_32);
    block.cr4 = (wide || pae ? CR4_PAE : 0) | 0x600;     // and SSE
    block.cr0 = kind == Kind::real ? 0x10 : always | (paged ? CR0_PG | write_protect : 0);
    block.task = wide ? TASK64 : TASK32;
    block.gates_limit = wide ? sizeof(pristine.gates64) - 1 : sizeof(pristine.gates32) - 1;
    block.gates_low = wide ? GATES64 : GATES32;
    block.gates_high = 0;
}

uint32_t any_flags(Choice& choice)
{
    constexpr uint32_t interrupts = 0x200, virtual_8086 = 0x20000, trap = 0x100;
    uint32_t flags = 2 | (choice.one_in(5) ? 0 : interrupts);
    if (choice.one_in(8))
        flags |= static_cast<uint32_t>(choice.next() >> 20) & 0x257FD5 & ~virtual_8086 & ~trap;
    return flags | (choice.one_in(16) ? trap : 0);
}

// What POPA and IRET take.
void push_start(Choice& choice, Kind kind, Block& block)
{
    constexpr uint32_t virtual_8086 = 0x20000, all_rings = 0x3000;
    const Selectors with = selectors_of(kind);
    uint32_t frame[8 + 9] = {};
    for (unsigned i = 0; i < 8; ++i)
        frame[i] = any_value(choice);
    uint32_t* next = frame + 8;
    *next++ = with.cs == CODE16 || with.cs == RANDOM_CODE >> 4 ? 0 : RANDOM_CODE;
    *next++ = with.cs;
    *next++ = any_flags(choice) | (kind == Kind::virtual_8086 ? virtual_8086 | (choice.one_in(4) ? 0 : all_rings) : 0);
    *next++ = RANDOM_STACK;
    *next++ = kind == Kind::virtual_8086 ? 0 : with.ss;
    for (unsigned i = 0; i < 4; ++i)
        *next++ = ARENA >> 4;
    block.real = kind == Kind::real;
    block.ds = kind == Kind::virtual_8086 ? DATA32 : with.ds;
    block.ss = 0;
    block.esp = RANDOM_STACK - sizeof(frame);
    if (kind == Kind::real) {
        // IRET takes 16 bits each.
        const auto flags = static_cast<uint16_t>(frame[10]);
        const uint16_t words[3] = {0, RANDOM_CODE >> 4, flags};
        std::memcpy(frame + 8, words, sizeof(words));
    }
    std::memcpy(at<void>(block.esp), frame, sizeof(frame));
}

void arm_timer()
{
    constexpr uint32_t nanoseconds = 30'000;
    write_msr(apic_divide, 0xB);
    write_msr(apic_timer, timer_vector);
    write_msr(apic_initial, nanoseconds);
}

// What an operation may have left behind in the CPU.
void restore_cpu()
{
    struct [[gnu::packed]] {
        uint16_t limit;
        uint64_t base;
    } pointer{static_cast<uint16_t>(gdt_end - gdt - 1), reinterpret_cast<uint64_t>(gdt)};
    asm volatile("cli; lgdt %0" : : "m"(pointer));
    set_up_traps();
    write_dr7(0x400);
    write_msr(apic_initial, 0);
    write_msr(apic_timer, 0x10000 | timer_vector);
    write_msr(apic_spurious, 0x1FF);
    write_msr(apic_tpr, 0);
    for (unsigned i = 0; i < 256; ++i) {
        uint64_t served = 0;
        for (uint32_t word = 0; word < 8; ++word)
            served |= read_msr(0x810 + word);
        if (served == 0)
            break;
        write_msr(apic_eoi, 0);
    }
}

// An operation that never ends, on either vCPU, ends the life.
void feed_watchdog(uint32_t id)
{
    sched_watchdog_t watchdog{id, 2};
    (void)hypercall(__HYPERVISOR_sched_op, SCHEDOP_watchdog, reinterpret_cast<uint64_t>(&watchdog), 0);
}

void one_operation(Choice& choice)
{
    put_low();
    fill_code(choice, at<uint8_t>(RANDOM_CODE), RANDOM_CODE_BYTES);
    const auto kind = static_cast<Kind>(choice.below(static_cast<uint64_t>(Kind::count)));
    Block block{};
    set_paging(kind, block);
    push_start(choice, kind, block);
    *at<Block>(BLOCK) = block;
    uint64_t high[8];
    for (uint64_t& value : high)
        value = choice.one_in(2) ? any_value(choice) : choice.next();
    arm_timer();
    running = true;
    const uint32_t vector = run_random(high);
    running = false;
    restore_cpu();
    if (vector == STARTED)
        ++restarted;
    else
        ++ended_by[vector < vectors_kept ? vector : vectors_kept - 1];
    operations = operations + 1;
}

void start_second()
{
    constexpr uint64_t second = uint64_t{2} << 32;
    write_msr(apic_command, second | 0x4500);
    write_msr(apic_command, second | 0x4600 | TRAMPOLINE >> 12);
}

void prepare()
{
    std::memcpy(pristine.trampoline, trampoline, static_cast<size_t>(trampoline_end - trampoline));
    make_descriptors();
    make_gates();
    make_tables();
    put_low();
}

}  // namespace

// Sees to it that the first vCPU goes on: an NMI, and if that does not help, INIT and a start.
void second_main()
{
    constexpr uint64_t patience = 300'000, first = 0;
    set_up_traps();
    write_msr(apic_spurious, 0x1FF);
    uint64_t before = 0, since = read_tsc();
    bool tried_nmi = false;
    for (;;) {
        asm volatile("pause");
        if (operations != before || !running) {
            before = operations;
            since = read_tsc();
            tried_nmi = false;
        } else if (read_tsc() - since > patience) {
            since = read_tsc();
            if (!tried_nmi) {
                write_msr(apic_command, first | 0x4400);
            } else {
                put_low();
                write_msr(apic_command, first | 0x4500);
                write_msr(apic_command, first | 0x4600 | TRAMPOLINE >> 12);
            }
            tried_nmi = true;
        }
    }
}

extern "C" void on_trap(Trap* trap)
{
    // Late ones of the operation before.
    if (trap->vector == 2 || trap->vector >= 32) {
        if (trap->vector >= 32)
            write_msr(apic_eoi, 0);
        return;
    }
    print("fuzz_hardware: lost: vector ");
    print_number(trap->vector);
    print(" at ");
    print_number(trap->rip);
    print("\n");
    print_progress();
    shut_down(SHUTDOWN_crash);
}

extern "C" void guest_main()
{
    write_msr(0x40000000, reinterpret_cast<uint64_t>(hypercall_page));
    set_up_traps();
    seed = number_behind("seed=", read_tsc());
    goal = number_behind("operations=", goal);
    print("fuzz_hardware: seed=");
    print_decimal(seed);
    print("\n");
    Choice choice(seed);
    for (unsigned i = 0; i < 8; ++i)
        (void)choice.next();
    prepare();
    restore_cpu();
    feed_watchdog(0);
    start_second();
    while (operations < goal) {
        one_operation(choice);
        if (operations % between_lines == 0) {
            feed_watchdog(1);
            print_progress();
        }
    }
    print_progress();
    print("fuzz_hardware: ended by start ");
    print_decimal(restarted);
    for (unsigned vector = 0; vector < vectors_kept; ++vector) {
        if (ended_by[vector] == 0)
            continue;
        print(", ");
        print_decimal(vector);
        print(": ");
        print_decimal(ended_by[vector]);
    }
    print("\nPASS fuzz_hardware\n");
    shut_down(SHUTDOWN_poweroff);
}
