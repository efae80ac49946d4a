// SPDX-License-Identifier: BSD-2-Clause
// Claim: the iret hypercall enters user mode on the user's page tables, SYSCALL and faults there
// enter the kernel on its own stack and tables, GS bases change places, and registers survive.
#include "framework/memory.hpp"
#include "framework/user.hpp"

namespace {

TrapFrame seen;
unsigned count;
uint64_t kernel_gs, user_gs;

void set_base(unsigned which, uint64_t base)
{
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_set_segment_base>(which, base));
}

uint64_t first_word_of_gs()
{
    uint64_t value;
    asm volatile("mov %%gs:0, %0" : "=r"(value));
    return value;
}

void syscalls()
{
    trap_handlers[vector_syscall] = [](TrapFrame& frame) {
        seen = frame;
        ++count;
        frame.rax = frame.rdi + frame.rsi + 1;
    };
    const uint64_t result = in_user_mode([](uint64_t argument) -> uint64_t {
        uint64_t rax = 7;
        uint64_t rbx = 0x77;
        asm volatile("syscall" : "+a"(rax), "+b"(rbx) : "D"(argument), "S"(uint64_t{20}) : "rcx", "r11", "memory");
        return rbx == 0x77 ? rax : 0;
    }, 100);
    CHECK_EQUAL(121, result);
    CHECK_EQUAL(1, count);
    CHECK_EQUAL(7, seen.rax);
    CHECK_EQUAL(3, seen.cs & 3);
    CHECK(seen.rsp <= user_stack_end && seen.rsp > user_stack_end - 16384);
    CHECK_EQUAL(seen.rcx, seen.rip);        // as SYSCALL leaves it
}

void faults()
{
    trap_handlers[14] = [](TrapFrame& frame) {
        seen = frame;
        ++count;
        frame.rip += 3;
    };
    count = 0;
    in_user_mode([](uint64_t) -> uint64_t {
        asm volatile("mov $0x1000, %%eax\n mov %%rax, (%%rax)" : : : "rax", "memory");
        return 0;
    });
    CHECK_EQUAL(1, count);
    CHECK_EQUAL(6, seen.error_code);        // write, by a user
    CHECK_EQUAL(0x1000, own_info().arch.cr2);
    CHECK_EQUAL(3, seen.cs & 3);
    trap_handlers[14] = nullptr;

    trap_handlers[13] = [](TrapFrame& frame) {
        seen = frame;
        ++count;
        frame.rip += 2;
    };
    in_user_mode([](uint64_t) -> uint64_t {
        asm volatile("rdmsr" : : "c"(0xC0000080) : "rax", "rdx");
        return 0;
    });
    CHECK_EQUAL(2, count);
    CHECK_EQUAL(13, seen.vector);
    trap_handlers[13] = nullptr;
}

void page_tables_change_with_the_mode()
{
    // One top-level slot that only the user has: a copy of the kernel's last one.
    auto* user_table = static_cast<uint64_t*>(address_of_mfn(user_table_mfn));
    CHECK_EQUAL(0, change_entry(machine_address(&user_table[300]), user_table[511]));
    static uint64_t word;
    word = 0x1234;
    // The same page through slot 300.
    const uint64_t alias = (as_argument(&word) & 0x7fffffffff) | uint64_t{300} << 39 | 0xffff000000000000;
    const uint64_t value = in_user_mode([](uint64_t address) { return *reinterpret_cast<uint64_t*>(address); }, alias);
    CHECK_EQUAL(0x1234, value);
    CHECK_TRAPS(14, 0, asm volatile("mov (%0), %%rax" : : "r"(alias) : "rax"));
    CHECK_EQUAL(0, change_entry(machine_address(&user_table[300]), 0));
}

void bases_change_places()
{
    kernel_gs = 0x1111;
    user_gs = 0x2222;
    set_base(SEGBASE_GS_KERNEL, as_argument(&kernel_gs));
    set_base(SEGBASE_GS_USER, as_argument(&user_gs));
    CHECK_EQUAL(0x1111, first_word_of_gs());
    trap_handlers[vector_syscall] = [](TrapFrame& frame) { frame.rax = first_word_of_gs(); };
    const uint64_t both = in_user_mode([](uint64_t) -> uint64_t {
        uint64_t rax = 0;
        asm volatile("syscall" : "+a"(rax) : : "rcx", "r11", "memory");
        return first_word_of_gs() << 32 | rax;
    });
    CHECK_EQUAL(uint64_t{0x2222} << 32 | 0x1111, both);
    CHECK_EQUAL(0x1111, first_word_of_gs());
}

void hypercalls_are_the_kernels()
{
    // In user mode SYSCALL is the guest's own system call, whatever number is in rax.
    trap_handlers[vector_syscall] = [](TrapFrame& frame) {
        ++count;
        frame.rax = 55;
    };
    count = 0;
    const uint64_t result = in_user_mode([](uint64_t) -> uint64_t {
        uint64_t rax = __HYPERVISOR_xen_version;
        asm volatile("syscall" : "+a"(rax) : "D"(uint64_t{0}) : "rcx", "r11", "memory");
        return rax;
    });
    CHECK_EQUAL(1, count);
    CHECK_EQUAL(55, result);
}

}  // namespace

GUEST_TEST(user_mode)
{
    install_traps();
    install_user_mode();
    syscalls();
    faults();
    page_tables_change_with_the_mode();
    bases_change_places();
    hypercalls_are_the_kernels();
}
