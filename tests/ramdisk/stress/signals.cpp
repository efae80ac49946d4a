// SPDX-License-Identifier: BSD-2-Clause
// Signals: sent by processes, and made of the CPU's exceptions.
#include "stress.hpp"

#include <array>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

namespace stress {
namespace {

volatile sig_atomic_t first_count;
volatile sig_atomic_t second_count;
volatile sig_atomic_t queued_sum;
volatile sig_atomic_t on_other_stack;
std::array<char, 65536> other_stack;

void count_first(int) {
    first_count = first_count + 1;
    raise(SIGUSR2);  // nested
}

void count_second(int) { second_count = second_count + 1; }

void add_queued(int, siginfo_t* information, void*) { queued_sum = queued_sum + information->si_value.sival_int; }

void look_at_stack(int) {
    const char here = 0;
    const char* address = &here;
    on_other_stack = address >= other_stack.data() && address < other_stack.data() + other_stack.size();
}

void handle(int signal, void (*handler)(int), int flags = 0) {
    struct sigaction action{};
    action.sa_handler = handler;
    action.sa_flags = flags;
    require(sigaction(signal, &action, nullptr) == 0, "sigaction");
}

// What the last exception's handler saw.
struct Seen {
    volatile sig_atomic_t signal;
    volatile sig_atomic_t code;
    volatile greg_t trap;
    volatile greg_t instruction;
};
Seen seen;
sigjmp_buf resume;

void on_exception(int signal, siginfo_t* information, void* context) {
    const auto* user = static_cast<const ucontext_t*>(context);
    seen.signal = signal;
    seen.code = information->si_code;
    seen.trap = user->uc_mcontext.gregs[REG_TRAPNO];
    seen.instruction = user->uc_mcontext.gregs[REG_RIP];
    siglongjmp(resume, 1);
}

template <class Action>
void expect(int signal, greg_t trap, const char* what, Action action) {
    seen = Seen{};
    if (sigsetjmp(resume, 1) == 0) {
        action();
        fail(what);
    }
    require(seen.signal == signal, what);
    require(seen.trap == trap, what);
    require(seen.instruction != 0, what);
}

void divide_by_zero_in_sse() {
    unsigned divide_unmasked = 0x1f80 & ~0x200U;
    asm volatile("ldmxcsr %0" : : "m"(divide_unmasked));
    volatile double zero = 0;
    volatile double result = 1 / zero;
    (void)result;
}

void divide_by_zero_in_x87() {
    unsigned short divide_unmasked = 0x37b;
    asm volatile("fninit; fldcw %0; fld1; fldz; fdivrp; fwait" : : "m"(divide_unmasked));
}

// QEMU's software CPU never raises SIMD exceptions; where they are raised they must be right.
void floating_point_exceptions() {
    static const bool simd_exceptions = [] {
        if (sigsetjmp(resume, 1) != 0) {
            return true;
        }
        divide_by_zero_in_sse();
        return false;
    }();
    unsigned standard = 0x1f80;
    asm volatile("ldmxcsr %0" : : "m"(standard));
    if (simd_exceptions) {
        expect(SIGFPE, 19, "SIMD exception", divide_by_zero_in_sse);
        asm volatile("ldmxcsr %0" : : "m"(standard));
    }
    expect(SIGFPE, 16, "x87 exception", divide_by_zero_in_x87);
    asm volatile("fninit");
}

}  // namespace

void signals() {
    handle(SIGUSR1, count_first);
    handle(SIGUSR2, count_second);
    for (int i = 0; i < 2000; ++i) {
        raise(SIGUSR1);
    }
    require(first_count == 2000 && second_count == 2000, "number of nested signals");

    struct sigaction action{};
    action.sa_sigaction = add_queued;
    action.sa_flags = SA_SIGINFO;
    require(sigaction(SIGRTMIN, &action, nullptr) == 0, "sigaction for a queued signal");
    const pid_t self = getpid();
    Child sender([self] {
        for (int i = 1; i <= 100; ++i) {
            sigval value{};
            value.sival_int = i;
            while (sigqueue(self, SIGRTMIN, value) != 0) {
                require(errno == EAGAIN, "sigqueue");
                sched_yield();
            }
        }
    });
    sender.join();
    require(queued_sum == 5050, "sum of queued signals");

    stack_t stack{};
    stack.ss_sp = other_stack.data();
    stack.ss_size = other_stack.size();
    require(sigaltstack(&stack, nullptr) == 0, "sigaltstack");
    handle(SIGURG, look_at_stack, SA_ONSTACK);
    raise(SIGURG);
    require(on_other_stack == 1, "handler on its own stack");

    // Two processes that stop and continue each other's work by signals alone.
    sigset_t wake;
    sigemptyset(&wake);
    sigaddset(&wake, SIGWINCH);
    require(sigprocmask(SIG_BLOCK, &wake, nullptr) == 0, "sigprocmask");
    constexpr int rounds = 1000;
    Child peer([&] {
        int signal = 0;
        for (int i = 0; i < rounds; ++i) {
            require(kill(self, SIGWINCH) == 0 && sigwait(&wake, &signal) == 0, "signal to the parent");
        }
    });
    int signal = 0;
    for (int i = 0; i < rounds; ++i) {
        require(sigwait(&wake, &signal) == 0 && kill(peer.pid(), SIGWINCH) == 0, "signal to the child");
    }
    peer.join();

    Child sleeper([] { pause(); });
    require(kill(sleeper.pid(), SIGSTOP) == 0, "stop");
    int status = 0;
    require(waitpid(sleeper.pid(), &status, WUNTRACED) == sleeper.pid() && WIFSTOPPED(status), "stopped");
    require(kill(sleeper.pid(), SIGCONT) == 0, "continue");
    require(waitpid(sleeper.pid(), &status, WCONTINUED) == sleeper.pid() && WIFCONTINUED(status), "continued");
    require(kill(sleeper.pid(), SIGKILL) == 0, "kill");
    require(waitpid(sleeper.pid(), &status, 0) == sleeper.pid() && WIFSIGNALED(status), "killed");
    errno = 0;
}

void faults() {
    struct sigaction action{};
    action.sa_sigaction = on_exception;
    action.sa_flags = SA_SIGINFO;
    for (const int signal : {SIGFPE, SIGILL, SIGTRAP, SIGSEGV, SIGBUS}) {
        require(sigaction(signal, &action, nullptr) == 0, "sigaction for an exception");
    }
    for (int round = 0; round < 100; ++round) {
        expect(SIGFPE, 0, "divide error", [] {
            asm volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; div %%ecx" ::: "eax", "ecx", "edx");
        });
        expect(SIGTRAP, 3, "int3", [] { asm volatile("int3"); });
        expect(SIGILL, 6, "ud2", [] { asm volatile("ud2"); });
        expect(SIGSEGV, 13, "hlt in user mode", [] { asm volatile("hlt"); });
        expect(SIGSEGV, 13, "cli in user mode", [] { asm volatile("cli"); });
        expect(SIGSEGV, 13, "mov to CR3 in user mode", [] { asm volatile("mov %%rax, %%cr3" ::: "memory"); });
        expect(SIGSEGV, 13, "wrmsr in user mode", [] { asm volatile("wrmsr" ::"a"(0), "c"(0), "d"(0)); });
        expect(SIGSEGV, 13, "in from a port in user mode",
               [] { asm volatile("inb $0x80, %%al" ::: "eax"); });
        expect(SIGSEGV, 13, "interrupt gate that user mode may not use", [] { asm volatile("int $0x20"); });
        expect(SIGSEGV, 13, "address that is not canonical",
               [] { (void)*reinterpret_cast<volatile int*>(0x8000000000000000); });
        floating_point_exceptions();
    }
    // A file that became shorter than its mapping.
    const int file = open("/tmp/stress-short", O_RDWR | O_CREAT | O_TRUNC, 0600);
    require(file >= 0 && ftruncate(file, 8192) == 0, "temporary file");
    auto* mapped = static_cast<volatile char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    require(mapped != MAP_FAILED, "map the temporary file");
    mapped[5000] = 1;
    require(ftruncate(file, 4096) == 0, "shorten the file");
    expect(SIGBUS, 14, "access beyond the end of a file", [mapped] { mapped[5000] = 2; });
    unlink("/tmp/stress-short");
    close(file);
    errno = 0;
}

}  // namespace stress
