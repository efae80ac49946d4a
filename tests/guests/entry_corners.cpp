// SPDX-License-Identifier: BSD-2-Clause
// Claim: what users leave in flags, stack segment and return address before they enter the kernel, and
// what a kernel asks the iret hypercall for, ends as an exception of the guest at most: NT and TF set,
// a debug exception put off by MOV SS, a SYSCALL at the very end of the address space, returns to
// addresses that are not canonical and to selectors that are not there.
#include "framework/memory.hpp"
#include "framework/user.hpp"

#include <initializer_list>

namespace {

constexpr uint64_t last_page = 0x7ffffffff000;
constexpr uint64_t not_canonical = 0x800000000000;

unsigned count;
TrapFrame seen;
uint64_t stack_word;

void note_and_end(TrapFrame& frame)
{
    seen = frame;
    ++count;
    end_user_mode(frame, 1);
}

void only(unsigned vector, TrapHandler handler)
{
    for (TrapHandler& each : trap_handlers)
        each = nullptr;
    trap_handlers[vector] = handler;
    count = 0;
}

void nested_task_and_trap_flags()
{
    only(vector_syscall, [](TrapFrame& frame) {
        seen = frame;
        ++count;
        uint64_t flags;
        asm volatile("pushf\n pop %0" : "=r"(flags));
        frame.rax = flags & 0x4100;
    });
    const uint64_t result = in_user_mode([](uint64_t) -> uint64_t {
        uint64_t rax = 1;
        asm volatile("pushf\n orq $0x4000, (%%rsp)\n popf\n syscall\n pushf\n andq $~0x4000, (%%rsp)\n popf"
                     : "+a"(rax) : : "rcx", "r11", "memory", "cc");
        return rax;
    });
    CHECK_EQUAL(1, count);
    CHECK_EQUAL(0, result);                          // the kernel runs with neither
    CHECK_EQUAL(0x4000, seen.rflags & 0x4000);       // and knows of it
    CHECK_EQUAL(0x4000, seen.r11 & 0x4000);

    trap_handlers[1] = [](TrapFrame& frame) {
        ++count;
        frame.rflags &= ~uint64_t{0x100};
    };
    count = 0;
    in_user_mode([](uint64_t) -> uint64_t {
        uint64_t rax = 1;
        asm volatile("pushf\n orq $0x100, (%%rsp)\n popf\n syscall\n nop" : "+a"(rax) : : "rcx", "r11", "memory", "cc");
        return rax;
    });
    CHECK(count >= 1);
}

// A watchpoint on the operand of MOV SS: the debug exception waits for the end of the next instruction.
void a_debug_exception_put_off()
{
    stack_word = FLAT_USER_SS;
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_set_debugreg>(0, as_argument(&stack_word)));
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_set_debugreg>(7, 0x70401));        // read or write, 2 bytes, L0
    for (const unsigned vector : {vector_syscall + 0u, 0x80u, 3u}) {
        only(vector, [](TrapFrame&) { ++count; });
        trap_handlers[1] = [](TrapFrame& frame) { CHECK_EQUAL(3, frame.cs & 3); };
        in_user_mode([](uint64_t which) -> uint64_t {
            uint64_t rax = 1;
            if (which == vector_syscall)
                asm volatile("mov %1, %%ss\n syscall" : "+a"(rax) : "m"(stack_word) : "rcx", "r11", "memory");
            else if (which == 0x80)
                asm volatile("mov %0, %%ss\n int $0x80" : : "m"(stack_word) : "memory");
            else
                asm volatile("mov %0, %%ss\n int3" : : "m"(stack_word) : "memory");
            return 0;
        }, vector);
        CHECK_EQUAL(1, count);
    }
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_set_debugreg>(7, 0x400));
}

// SYSCALL in the last two bytes below the hole: the address behind it is not canonical.
void a_syscall_at_the_end()
{
    auto* code = new_page_as<uint8_t>();
    code[4094] = 0x0f;
    code[4095] = 0x05;
    void* pages[1] = {code};
    map_in_empty_slot(static_cast<uint64_t*>(address_of_mfn(user_table_mfn)), last_page, pages, 1, pte_page);
    only(vector_syscall, [](TrapFrame& frame) {
        seen = frame;
        ++count;                                     // and returns to it
    });
    trap_handlers[13] = note_and_end;
    trap_handlers[vector_failsafe] = note_and_end;
    trap_handlers[14] = note_and_end;
    CHECK_EQUAL(1, run_user(last_page + 4094, user_stack_end - 8, 0));
    CHECK_EQUAL(2, count);
}

void returns_that_cannot_be_made()
{
    only(vector_failsafe, note_and_end);
    trap_handlers[13] = note_and_end;
    trap_handlers[14] = note_and_end;
    for (const uint64_t flags : {uint64_t{0}, uint64_t{VGCF_in_syscall}}) {
        user_iret_flags = flags;
        count = 0;
        CHECK_EQUAL(1, run_user(not_canonical, user_stack_end - 8, 0));
        CHECK_EQUAL(1, count);
        count = 0;
        CHECK_EQUAL(1, run_user(uint64_t{1} << 63, user_stack_end - 8, 0));
        CHECK_EQUAL(1, count);
    }
    user_iret_flags = 0;
    for (const uint64_t selector : {0x0ul, 0x8ul, 0xe008ul, 0x1233ul, 0xfffful, 0xe03bul}) {
        user_cs = selector | 3;
        count = 0;
        CHECK_EQUAL(1, run_user(as_argument(user_landing), user_stack_end - 8, 0));
        CHECK_EQUAL(1, count);
    }
    user_cs = FLAT_USER_CS;
    for (const uint64_t selector : {0x8ul, 0xe008ul, 0x1233ul, 0xe033ul}) {
        user_ss = selector | 3;
        count = 0;
        CHECK_EQUAL(1, run_user(as_argument(user_landing), user_stack_end - 8, 0));
        CHECK_EQUAL(1, count);
    }
    user_ss = FLAT_USER_SS;
    CHECK_EQUAL(7, in_user_mode([](uint64_t value) { return value; }, 7));
}

}  // namespace

GUEST_TEST(entry_corners)
{
    install_traps();
    install_user_mode();
    nested_task_and_trap_flags();
    a_debug_exception_put_off();
    a_syscall_at_the_end();
    returns_that_cannot_be_made();
}
