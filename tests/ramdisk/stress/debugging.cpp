// SPDX-License-Identifier: BSD-2-Clause
// What a debugger does: steps, breakpoints, watchpoints in the debug registers.
#include "stress.hpp"

#include <cerrno>
#include <csignal>
#include <cstddef>

#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

namespace stress {
namespace {

volatile std::uint64_t watched;
volatile std::uint64_t sum;

[[gnu::noinline]] void traced_work() {
    sum = sum + 1;
    watched = watched + 1;
    sum = sum + watched;
}

void wait_for_stop(pid_t child, int signal, const char* what) {
    int status = 0;
    require(waitpid(child, &status, 0) == child, "wait for the traced process");
    require(WIFSTOPPED(status) && WSTOPSIG(status) == signal, what);
}

Child start_traced(int rounds) {
    Child child([rounds] {
        require(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0, "traceme");
        raise(SIGSTOP);
        for (int i = 0; i < rounds; ++i) {
            traced_work();
        }
        _exit(watched == static_cast<std::uint64_t>(rounds) ? 0 : 1);
    });
    wait_for_stop(child.pid(), SIGSTOP, "traced process stops itself");
    return child;
}

void set_debug_register(pid_t child, std::size_t index, std::uint64_t value) {
    require(ptrace(PTRACE_POKEUSER, child, offsetof(user, u_debugreg) + index * 8, value) == 0, "set a debug register");
}

volatile sig_atomic_t steps;
void count_step(int, siginfo_t*, void*) { steps = steps + 1; }

}  // namespace

void single_step() {
    Child child = start_traced(20);
    user_regs_struct registers{};
    std::uint64_t last = 0;
    for (int i = 0; i < 2000; ++i) {
        require(ptrace(PTRACE_SINGLESTEP, child.pid(), nullptr, nullptr) == 0, "single-step");
        int status = 0;
        require(waitpid(child.pid(), &status, 0) == child.pid(), "wait for a step");
        if (WIFEXITED(status)) {
            require(i > 100 && WEXITSTATUS(status) == 0, "stepped process ended well");
            break;
        }
        require(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP, "a step ends with a trap");
        require(ptrace(PTRACE_GETREGS, child.pid(), nullptr, &registers) == 0, "read registers");
        require(registers.rip != last || i == 0, "a step moves the instruction pointer");
        last = registers.rip;
        if (i == 1999) {
            ptrace(PTRACE_CONT, child.pid(), nullptr, nullptr);
            child.join();
        }
    }
    // The trap flag set by the program itself.
    struct sigaction action{};
    action.sa_sigaction = count_step;
    action.sa_flags = SA_SIGINFO;
    require(sigaction(SIGTRAP, &action, nullptr) == 0, "sigaction");
    for (int round = 0; round < 200; ++round) {
        asm volatile(
            "sub $128, %%rsp\n"
            "pushf; orq $0x100, (%%rsp); popf\n"
            "nop; nop; nop\n"
            "pushf; andq $~0x100, (%%rsp); popf\n"
            "add $128, %%rsp\n" ::: "memory", "cc");
    }
    require(steps >= 200 * 6 && steps <= 200 * 7, "number of steps under the trap flag");
    errno = 0;
}

void breakpoints() {
    constexpr int rounds = 50;
    {
        Child child = start_traced(rounds);
        auto* address = reinterpret_cast<void*>(&traced_work);
        const long original = ptrace(PTRACE_PEEKTEXT, child.pid(), address, nullptr);
        for (int i = 0; i < rounds; ++i) {
            require(ptrace(PTRACE_POKETEXT, child.pid(), address, (original & ~0xffL) | 0xcc) == 0, "set a breakpoint");
            require(ptrace(PTRACE_CONT, child.pid(), nullptr, nullptr) == 0, "continue to a breakpoint");
            wait_for_stop(child.pid(), SIGTRAP, "a breakpoint traps");
            user_regs_struct registers{};
            require(ptrace(PTRACE_GETREGS, child.pid(), nullptr, &registers) == 0, "read registers");
            require(registers.rip == reinterpret_cast<std::uint64_t>(address) + 1, "where a breakpoint traps");
            --registers.rip;
            require(ptrace(PTRACE_SETREGS, child.pid(), nullptr, &registers) == 0, "write registers");
            require(ptrace(PTRACE_POKETEXT, child.pid(), address, original) == 0, "remove a breakpoint");
            require(ptrace(PTRACE_SINGLESTEP, child.pid(), nullptr, nullptr) == 0, "step over a breakpoint");
            wait_for_stop(child.pid(), SIGTRAP, "a step traps");
        }
        require(ptrace(PTRACE_CONT, child.pid(), nullptr, nullptr) == 0, "continue to the end");
        child.join();
    }
    {
        Child child = start_traced(rounds);
        set_debug_register(child.pid(), 0, reinterpret_cast<std::uint64_t>(&watched));
        set_debug_register(child.pid(), 7, 0x1 | 0x9ULL << 16);  // DR0, eight bytes, on writes
        for (int i = 0; i < rounds; ++i) {
            require(ptrace(PTRACE_CONT, child.pid(), nullptr, nullptr) == 0, "continue to a watchpoint");
            wait_for_stop(child.pid(), SIGTRAP, "a watchpoint traps");
            const long dr6 = ptrace(PTRACE_PEEKUSER, child.pid(), offsetof(user, u_debugreg) + 6 * 8, nullptr);
            require((dr6 & 1) != 0, "DR6 names the watchpoint");
            set_debug_register(child.pid(), 6, 0);
            const long value = ptrace(PTRACE_PEEKDATA, child.pid(), const_cast<std::uint64_t*>(&watched), nullptr);
            require(value == i + 1, "the watchpoint traps after the write");
        }
        set_debug_register(child.pid(), 7, 0);
        require(ptrace(PTRACE_CONT, child.pid(), nullptr, nullptr) == 0, "continue to the end");
        child.join();
    }
    {
        Child child = start_traced(rounds);
        set_debug_register(child.pid(), 1, reinterpret_cast<std::uint64_t>(&traced_work));
        set_debug_register(child.pid(), 7, 0x4);  // DR1, on execution
        for (int i = 0; i < rounds; ++i) {
            require(ptrace(PTRACE_CONT, child.pid(), nullptr, nullptr) == 0, "continue to an execution breakpoint");
            wait_for_stop(child.pid(), SIGTRAP, "an execution breakpoint traps");
        }
        set_debug_register(child.pid(), 7, 0);
        require(ptrace(PTRACE_CONT, child.pid(), nullptr, nullptr) == 0, "continue to the end");
        child.join();
    }
    errno = 0;
}

}  // namespace stress
