// SPDX-License-Identifier: BSD-2-Clause
// User mode of a conformance guest: a top-level table of its own that shares all lower tables, so
// that the same code and data are there.
#pragma once

#include "framework/traps.hpp"

// Makes the user's tables and the kernel's stack for entries. Once.
void install_user_mode();

inline constexpr uint64_t exit_number = 0x4000;
extern "C" {
uint64_t run_user(uint64_t rip, uint64_t rsp, uint64_t argument);
extern uint64_t user_cs, user_ss, user_iret_flags;
extern char user_landing[];
}
extern uint64_t user_stack_end;
extern uint64_t kernel_entry_stack_end;
extern uint64_t user_table_mfn;

// In a trap's handler: user mode ends with this result when the handler returns.
inline void end_user_mode(TrapFrame& frame, uint64_t result)
{
    frame.rip = reinterpret_cast<uint64_t>(user_landing);
    frame.cs = FLAT_KERNEL_CS & ~3;
    frame.ss = FLAT_KERNEL_SS & ~3;
    frame.rflags = 0x202;
    frame.rdi = result;
}

// Ends user mode.
[[noreturn, gnu::always_inline]] inline void leave_user(uint64_t result)
{
    asm volatile("syscall" : : "a"(exit_number), "D"(result) : "memory", "rcx", "r11");
    __builtin_unreachable();
}

// Runs a function without captures in user mode; its result is what it returns. Traps that it causes
// go to trap_handlers.
inline uint64_t in_user_mode(uint64_t (*function)(uint64_t), uint64_t argument = 0)
{
    static uint64_t (*running)(uint64_t);
    running = function;
    const auto start = +[](uint64_t value) { leave_user(running(value)); };
    return run_user(reinterpret_cast<uint64_t>(start), user_stack_end - 8, argument);
}
