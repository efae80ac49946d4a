// SPDX-License-Identifier: BSD-2-Clause
// What the guests of hardware partitions share: instructions, printing, checks, the exception table.
#pragma once

#include <cstdint>

extern "C" {
#include <xen/sched.h>
#include <xen/xen.h>

extern char trap_entries[];
extern char hypercall_page[];
}

// As start.S pushes it for on_trap().
struct Trap {
    uint64_t r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error_code, rip, cs, rflags, rsp, ss;
};

inline unsigned failures;

inline constexpr uint32_t apic_tpr = 0x808, apic_eoi = 0x80B, apic_spurious = 0x80F, apic_command = 0x830;
inline constexpr uint32_t apic_timer = 0x832, apic_initial = 0x838, apic_divide = 0x83E, apic_self = 0x83F;
inline constexpr uint32_t tsc_deadline = 0x6E0;
inline constexpr uint64_t nmi_to_self = 0x44400;

// Inline, because a fault goes on in the function that asked for it.
#define INLINE [[gnu::always_inline]] inline

// --- The CPU ---------------------------------------------------------------------------------------

INLINE uint64_t read_msr(uint32_t msr)
{
    uint32_t low, high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return uint64_t{high} << 32 | low;
}
INLINE void write_msr(uint32_t msr, uint64_t value)
{
    asm volatile("wrmsr" : : "c"(msr), "a"(static_cast<uint32_t>(value)), "d"(static_cast<uint32_t>(value >> 32)) : "memory");
}
inline uint64_t read_tsc()
{
    uint32_t low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return uint64_t{high} << 32 | low;
}
#define CONTROL_REGISTER(n)                                                                     \
    INLINE uint64_t read_cr##n() { uint64_t v; asm volatile("mov %%cr" #n ", %0" : "=r"(v)); return v; } \
    INLINE void write_cr##n(uint64_t v) { asm volatile("mov %0, %%cr" #n : : "r"(v) : "memory"); }
CONTROL_REGISTER(0)
CONTROL_REGISTER(4)
CONTROL_REGISTER(8)
inline void write_dr7(uint64_t v) { asm volatile("mov %0, %%dr7" : : "r"(v)); }
inline uint64_t read_dr7()
{
    uint64_t v;
    asm volatile("mov %%dr7, %0" : "=r"(v));
    return v;
}

inline bool is_intel()
{
    uint32_t a = 0, b, c, d;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
    return b == 0x756E'6547;
}

// AMD-V is also tested in Bochs 2.7, by its Ryzen; QEMU's CPU is of another family. There MONITOR does not leave,
// and debug exceptions leave before they are in DR6.
inline bool is_bochs_ryzen()
{
    uint32_t a = 1, b, c = 0, d;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return !is_intel() && (a >> 20 & 0xFF) == 8;
}

// QEMU 7.2, where AMD-V is tested, lets pass what a CPU and Bochs refuse.
inline bool is_strict() { return is_intel(); }

// --- The hypervisor --------------------------------------------------------------------------------

inline long hypercall(unsigned number, uint64_t a, uint64_t b, uint64_t c)
{
    long result;
    asm volatile("call *%[at]"
                 : "=a"(result), "+D"(a), "+S"(b), "+d"(c)
                 : [at] "r"(hypercall_page + number * 32)
                 : "memory", "rcx", "r8", "r9", "r10", "r11");
    return result;
}

inline void print(const char* text)
{
    uint64_t length = 0;
    while (text[length] != '\0')
        ++length;
    hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, length, reinterpret_cast<uint64_t>(text));
}

inline void print_number(uint64_t value)
{
    char digits[19] = "0x0000000000000000";
    for (unsigned i = 0; i < 16; ++i)
        digits[17 - i] = "0123456789abcdef"[value >> (4 * i) & 15];
    print(digits);
}

inline void expect(bool ok, const char* what, uint64_t got)
{
    if (ok)
        return;
    ++failures;
    print("wrong: ");
    print(what);
    print(": ");
    print_number(got);
    print("\n");
}
inline void equal(uint64_t wanted, uint64_t got, const char* what) { expect(wanted == got, what, got); }

[[noreturn]] inline void shut_down(unsigned reason)
{
    sched_shutdown_t why{reason};
    hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, reinterpret_cast<uint64_t>(&why), 0);
    __builtin_unreachable();
}

inline void set_up_traps()
{
    struct Gate {
        uint16_t low, selector, flags, middle;
        uint32_t high, reserved;
    };
    static Gate table[256];
    for (unsigned i = 0; i < 256; ++i) {
        const uint64_t at = reinterpret_cast<uint64_t>(trap_entries) + i * 16;
        table[i] = {static_cast<uint16_t>(at), 8, 0x8E00, static_cast<uint16_t>(at >> 16), static_cast<uint32_t>(at >> 32), 0};
    }
    struct [[gnu::packed]] {
        uint16_t limit;
        uint64_t base;
    } pointer{sizeof(table) - 1, reinterpret_cast<uint64_t>(table)};
    asm volatile("lidt %0" : : "m"(pointer));
}
