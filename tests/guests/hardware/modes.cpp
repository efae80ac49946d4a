// SPDX-License-Identifier: BSD-2-Clause
// Claim: a hardware guest enters every mode of the CPU and goes back: long mode and its compatibility mode,
// protected mode of 32 and 16 bits, without paging, with PAE and with page tables of 32-bit entries,
// virtual-8086 mode, and real mode. In each, registers and code are as that mode has them, and instructions
// that leave the guest, exceptions and interrupts are as on a CPU without a hypervisor.
#include "cpu.hpp"
#include "layout.h"

#include <cstring>
#include <initializer_list>

extern "C" {
uint32_t tour(bool direct);
extern const uint32_t handlers_32[], handlers_16[], handlers_real[];
extern uint64_t gdt_task, table_3[512];

alignas(8) uint64_t idt_32[256], idt_16[256];
uint32_t table_pae, table_32;       // for CR3
}

namespace {

// What modes.S writes at each stop, in its order.
struct Record {
    uint32_t cr0, cr4, efer, cs, operand, wide, xen, version, byte, word, hypercall;
    uint32_t fault_error, breakpoint_ip, step_ip, step_status, self_early, faults, window, fault_address;
    uint32_t steps, nmis, breakpoints, no_opcodes, page_faults, software, self, timer;
};
// Of virtual-8086 mode.
struct SmallRecord {
    uint32_t xen, operand, fault_error, faults;
    uint32_t steps, nmis, breakpoints, no_opcodes, page_faults, software, self, timer;
};
struct RealExtra {
    uint32_t beyond, wrapped, limit_faults;
};

enum class Paging : uint32_t { none, thirty_two, pae, four_levels };
struct Mode {
    const char* name;
    unsigned code_bits;
    bool is_protected;
    Paging paging;
    bool long_enabled;
};

constexpr Mode long_mode{"64-bit", 64, true, Paging::four_levels, true};
constexpr Mode compatibility{"compatibility", 32, true, Paging::four_levels, true};
constexpr Mode compatibility_16{"compatibility, 16-bit", 16, true, Paging::four_levels, true};
constexpr Mode flat{"protected, long mode enabled", 32, true, Paging::none, true};
constexpr Mode plain{"protected", 32, true, Paging::none, false};
constexpr Mode pae{"PAE", 32, true, Paging::pae, false};
constexpr Mode pae_16{"PAE, 16-bit", 16, true, Paging::pae, false};
constexpr Mode two_levels{"32-bit entries", 32, true, Paging::thirty_two, false};
constexpr Mode protected_16{"protected, 16-bit", 16, true, Paging::none, false};
constexpr Mode real{"real", 16, false, Paging::none, false};

constexpr uint32_t xen_leaf_ebx = 0x566e6558;        // "XenV"
constexpr uint32_t apic_version = 0x60014;
constexpr uint32_t magic = 0x4D000000;                  // in the page that paging shows, with the kind of paging
constexpr uint64_t present = 1, writable = 2, large = 0x80;

struct [[gnu::aligned(4096)]] Table {
    uint64_t entry[512];
};
Table directory_4, pages_4, pointers_pae, low_pae, directory_pae, pages_pae, directory_32, pages_32;
struct [[gnu::aligned(4096)]] Page {
    uint32_t word[1024];
};
Page shown[4];

volatile uint32_t& low_word(uint32_t address) { return *reinterpret_cast<volatile uint32_t*>(uint64_t{address}); }

uint32_t address_of(const void* object) { return static_cast<uint32_t>(reinterpret_cast<uint64_t>(object)); }

// WINDOW is the page of this kind of paging; what follows it is not present.
uint32_t shown_page(Paging paging)
{
    Page& page = shown[static_cast<unsigned>(paging)];
    page.word[0] = magic | static_cast<uint32_t>(paging);
    return address_of(&page);
}

void make_tables()
{
    constexpr unsigned gib = WINDOW >> 30, of_2m = WINDOW >> 21 & 511, of_4m = WINDOW >> 22;
    pages_4.entry[0] = shown_page(Paging::four_levels) | present | writable;
    directory_4.entry[of_2m] = address_of(&pages_4) | present | writable;
    table_3[gib] = address_of(&directory_4) | present | writable;

    pages_pae.entry[0] = shown_page(Paging::pae) | present | writable;
    directory_pae.entry[of_2m] = address_of(&pages_pae) | present | writable;
    for (uint64_t i = 0; i < 512; ++i)
        low_pae.entry[i] = i << 21 | large | present | writable;
    // Page-directory pointers of PAE have no other bits.
    pointers_pae.entry[0] = address_of(&low_pae) | present;
    pointers_pae.entry[gib] = address_of(&directory_pae) | present;
    table_pae = address_of(&pointers_pae);

    constexpr uint32_t user = 4;
    auto* directory = reinterpret_cast<uint32_t*>(directory_32.entry);
    for (uint32_t i = 0; i < 256; ++i)
        directory[i] = i << 22 | uint32_t{large} | user | uint32_t{writable} | uint32_t{present};
    directory[of_4m] = address_of(&pages_32) | uint32_t{present} | uint32_t{writable};
    *reinterpret_cast<uint32_t*>(pages_32.entry) = shown_page(Paging::thirty_two) | uint32_t{present} | uint32_t{writable};
    table_32 = address_of(&directory_32);
}

void make_gates()
{
    constexpr uint64_t gate_32 = 0x8E, gate_32_for_all = 0xEE, gate_16 = 0x86;
    const auto gate = [](uint64_t at, uint64_t selector, uint64_t type) {
        return (at & 0xFFFF) | selector << 16 | type << 40 | (at >> 16) << 48;
    };
    for (const uint32_t* entry = handlers_32; *entry != 0; entry += 2) {
        const bool by_instruction = *entry == 3 || *entry == VECTOR_SOFT || *entry == VECTOR_LEAVE;
        idt_32[*entry] = gate(entry[1], CODE32, by_instruction ? gate_32_for_all : gate_32);
    }
    for (const uint32_t* entry = handlers_16; *entry != 0; entry += 2)
        idt_16[*entry] = gate(entry[1], CODE16, gate_16);
    for (const uint32_t* entry = handlers_real; *entry != 0; entry += 2)
        low_word(*entry * 4) = entry[1];
}

// For virtual-8086 mode: where exceptions find their stack.
void make_task()
{
    static uint32_t task[26];
    static uint8_t stack[4096];
    task[1] = address_of(stack) + sizeof(stack);
    task[2] = DATA32;
    task[25] = sizeof(task) << 16;
    const uint64_t base = address_of(task);
    gdt_task = (sizeof(task) - 1) | (base & 0xFF'FFFF) << 16 | uint64_t{0x89} << 40 | (base >> 24) << 56;
}

// --- What is right ------------------------------------------------------------------------------------

const char* where;

void same(uint32_t wanted, uint32_t got, const char* what)
{
    if (wanted == got)
        return;
    print(where);
    print(": ");
    equal(wanted, got, what);
}

uint32_t selector_of(const Mode& mode)
{
    if (!mode.is_protected)
        return 0;
    return mode.code_bits == 64 ? CODE64 : mode.code_bits == 32 ? CODE32 : CODE16;
}

void check_registers(const Mode& mode, const Record& got)
{
    constexpr uint32_t lme = 0x100, lma = 0x400;
    const bool paged = mode.paging != Paging::none;
    same((paged ? CR0_PG : 0) | (mode.is_protected ? CR0_PE : 0), got.cr0 & (CR0_PG | CR0_PE), "CR0");
    if (paged)
        same(mode.paging == Paging::thirty_two ? CR4_PSE : CR4_PAE, got.cr4, "CR4");
    same((mode.long_enabled ? lme : 0) | (mode.paging == Paging::four_levels ? lma : 0), got.efer & (lme | lma), "EFER");
    same(selector_of(mode), got.cs, "CS");
    same(mode.code_bits == 16 ? 1 : 0xEB0001, got.operand, "operand size");
    same(mode.code_bits == 64, got.wide, "REX");
    same(paged ? magic | static_cast<uint32_t>(mode.paging) : 0, got.window, "a page that paging shows");
    same(paged ? WINDOW + 0x1000 : 0, got.fault_address, "CR2");
    same(paged, got.page_faults, "page faults");
}

void check_exits(const Mode& mode, const Record& got)
{
    constexpr uint32_t single_step = 0x4000, version_4 = 4, no_such_call = static_cast<uint32_t>(-38);
    same(xen_leaf_ebx, got.xen, "CPUID");
    same(apic_version, got.version, "RDMSR");
    same(0xFF, got.byte, "IN of a byte");
    same(0xFFFF'FFFF, got.word, "IN of 32 bits");
    // Other than 64-bit code makes no hypercalls.
    same(mode.code_bits == 64 ? version_4 : no_such_call, mode.code_bits == 64 ? got.hypercall >> 16 : got.hypercall,
         "hypercall");
    same(0, got.fault_error, "error code of RDMSR of nothing");
    same(single_step, got.step_status & 0x400F, "DR6 after the step");
    same(0, got.step_ip, "IP after the step");
    same(0, got.breakpoint_ip, "IP after INT3");
}

void check_events(const Mode& mode, const Record& got)
{
    same(1, got.steps, "single steps");
    same(1, got.nmis, "NMIs");
    same(1, got.breakpoints, "INT3");
    same(1, got.no_opcodes, "UD2");
    same(1, got.software, "INT n");
    same(0, got.self_early, "interrupts while IF is off");
    same(1, got.self, "interrupts");
    same(1, got.timer, "timer");
    // RDMSR of nothing, and the end of a segment, which QEMU's CPU does not look for.
    const bool has_end = mode.is_protected && mode.code_bits != 64;
    same(1 + (is_strict() && has_end), got.faults, "general protection faults");
}

const uint8_t* next;

template <typename T>
const T& take()
{
    const auto& taken = *reinterpret_cast<const T*>(next);
    next += sizeof(T);
    return taken;
}

void check_stop(const Mode& mode)
{
    where = mode.name;
    const auto& got = take<Record>();
    check_registers(mode, got);
    check_exits(mode, got);
    check_events(mode, got);
}

void check_virtual_8086()
{
    where = "virtual 8086";
    const auto& got = take<SmallRecord>();
    same(xen_leaf_ebx, got.xen, "CPUID");
    same(1, got.operand, "operand size");
    same(0, got.fault_error, "error code");
    same(1, got.faults, "RDMSR");
    same(1, got.software, "INT n");
    same(1, got.breakpoints, "INT3");
    same(1, got.no_opcodes, "UD2");
    same(1, got.self, "interrupt that waited");
    same(0, got.nmis + got.steps + got.page_faults + got.timer, "anything else");
}

void check_real_mode()
{
    check_stop(real);
    const auto& got = take<RealExtra>();
    const uint32_t at_1m = low_word(0x100000);
    same(at_1m, got.beyond, "4 GiB behind FS");
    same(at_1m, got.wrapped, "FFFF:0010");
    same(is_strict(), got.limit_faults, "end of a segment");
}

void check_tour(bool direct)
{
    std::memset(reinterpret_cast<void*>(COUNTS), 0, 4 * 256);
    const uint32_t end = tour(direct);
    next = reinterpret_cast<const uint8_t*>(RECORDS);
    for (const Mode& mode : {long_mode, compatibility, compatibility_16, flat, pae, pae_16, two_levels})
        check_stop(mode);
    check_virtual_8086();
    check_stop(protected_16);
    check_real_mode();
    if (!direct) {
        for (const Mode& mode : {protected_16, plain, pae, compatibility})
            check_stop(mode);
    }
    check_stop(long_mode);
    equal(end, reinterpret_cast<uint64_t>(next), "end of the tour");
}

}  // namespace

extern "C" void on_trap(Trap* trap)
{
    constexpr uint64_t flag_trap = 0x100;
    const auto vector = static_cast<uint32_t>(trap->vector);
    low_word(COUNTS + 4 * vector) = low_word(COUNTS + 4 * vector) + 1;
    low_word(LAST_IP) = static_cast<uint32_t>(trap->rip);
    switch (vector) {
    case 1: {
        uint64_t status;
        asm volatile("mov %%dr6, %0" : "=r"(status));
        low_word(LAST_DR6) = static_cast<uint32_t>(status);
        asm volatile("mov %0, %%dr6" : : "r"(uint64_t{0xFFFF0FF0}));
        trap->rflags &= ~flag_trap;
        return;
    }
    case 2:
    case 3:
    case VECTOR_SOFT:
        return;
    case VECTOR_SELF:
    case VECTOR_TIMER:
        write_msr(apic_eoi, 0);
        return;
    case 14: {
        uint64_t address;
        asm volatile("mov %%cr2, %0" : "=r"(address));
        low_word(LAST_CR2) = static_cast<uint32_t>(address);
        [[fallthrough]];
    }
    case 13:
        low_word(LAST_ERROR) = static_cast<uint32_t>(trap->error_code);
        [[fallthrough]];
    case 6:
        trap->rip = low_word(RESUME);
        return;
    default:
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
    make_tables();
    make_gates();
    make_task();
    low_word(IS_INTEL) = is_intel();
    write_msr(apic_spurious, 0x1FF);
    write_msr(apic_divide, 0xB);
    for (const bool direct : {false, true, false})
        check_tour(direct);
    print(failures == 0 ? "PASS modes\n" : "FAIL modes\n");
    shut_down(SHUTDOWN_poweroff);
}
