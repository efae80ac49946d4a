// SPDX-License-Identifier: BSD-2-Clause
// stress-tool: runs one named part of the stress tests; without a name, lists them.
// Exit status 0 passed, 1 failed, 2 not applicable here. The guard ends a part that hangs.
#include "stress.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace stress {
namespace {

struct Part {
    const char* name;
    void (*run)();
    const char* covers;
};

constexpr std::array parts = {
    Part{"processes", processes, "fork, vfork, exec, wait, a tree of processes"},
    Part{"threads", threads, "threads, futexes, thread-local storage across switches"},
    Part{"memory", memory, "mmap, munmap, mremap, madvise, stack growth, page faults"},
    Part{"copy-on-write", copy_on_write, "private and shared pages after fork"},
    Part{"protection", protection, "mprotect, read-only, no access, no execute"},
    Part{"shootdown", shootdown, "protection changes seen by threads on other CPUs"},
    Part{"page-out", page_out, "swap entries: pages leave for swap and return"},
    Part{"bad-pointers", bad_pointers, "the kernel's own faults on user pointers"},
    Part{"signals", signals, "queued, nested and alternate-stack signals"},
    Part{"faults", faults, "exceptions as signals: divide, opcode, protection, x87, bus"},
    Part{"timers", timers, "sleeps, interval timers, timer descriptors"},
    Part{"clocks", clocks, "monotonic across CPUs, vDSO against system call"},
    Part{"vector-state", vector_state, "x87, SSE, AVX, AVX-512 across switches and signals"},
    Part{"kernel-vector-state", kernel_vector_state, "SIMD in the kernel beside user SIMD"},
    Part{"single-step", single_step, "ptrace single-step, trap flag"},
    Part{"breakpoints", breakpoints, "ptrace breakpoints, debug registers"},
    Part{"int80", int80, "32-bit system calls, from 64-bit code and a 32-bit program"},
    Part{"descriptor-table", descriptor_table, "modify_ldt and far calls, across switches"},
    Part{"segment-bases", segment_bases, "arch_prctl, FS and GS bases across switches"},
    Part{"pipes", pipes, "pipes, sockets, wake-ups between CPUs"},
    Part{"filters", filters, "compiled socket filters: code pages made and unmade"},
};

// Of a part that hangs; on a busy host they take many times as long as on a quiet one.
constexpr unsigned guard_s = 900;
const char* running = "";

int list() {
    for (const Part& part : parts) {
        std::printf("%-20s %s\n", part.name, part.covers);
    }
    return 0;
}

}  // namespace

void fail(const char* what) {
    const char* reason = errno != 0 ? std::strerror(errno) : "no errno";
    std::printf("stress: %s: %s (%s)\n", running, what, reason);
    std::fflush(stdout);
    _exit(1);
}

void skip(const char* why) {
    std::printf("stress: %s: not here: %s\n", running, why);
    std::fflush(stdout);
    _exit(2);
}

Child::Child(const std::function<void()>& body) : pid_(fork()) {
    require(pid_ >= 0, "fork");
    if (pid_ == 0) {
        errno = 0;
        body();
        _exit(0);
    }
}

void Child::join() {
    int status = 0;
    pid_t waited = -1;
    do {
        waited = waitpid(pid_, &status, 0);
    } while (waited < 0 && errno == EINTR);
    require(waited == pid_, "waitpid");
    errno = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2) {
        _exit(2);
    }
    if (WIFSIGNALED(status)) {
        std::printf("stress: %s: child killed by signal %d\n", running, WTERMSIG(status));
    }
    require(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a child failed");
}

void* shared_memory(std::size_t size_bytes) {
    void* memory = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED, "shared mmap");
    return memory;
}

int online_cpus() { return static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)); }

bool pin_to(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(cpu), &set);
    const bool pinned = sched_setaffinity(0, sizeof set, &set) == 0;
    errno = 0;
    return pinned;
}

bool cpu_has(const char* flag) {
    static std::array<char, 8192> line{};
    std::FILE* file = std::fopen("/proc/cpuinfo", "r");
    require(file != nullptr, "open /proc/cpuinfo");
    bool found = false;
    while (!found && std::fgets(line.data(), line.size(), file) != nullptr) {
        if (std::strncmp(line.data(), "flags", 5) != 0) {
            continue;
        }
        for (char* word = std::strtok(line.data(), " \t\n:"); word != nullptr && !found;
             word = std::strtok(nullptr, " \t\n:")) {
            found = std::strcmp(word, flag) == 0;
        }
    }
    std::fclose(file);
    return found;
}

std::int64_t monotonic_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

}  // namespace stress

int main(int count, char** arguments) {
    using namespace stress;
    if (count == 2 && std::strcmp(arguments[1], "--child-of-exec") == 0) {
        return 42;
    }
    if (count != 2) {
        return list();
    }
    for (const Part& part : parts) {
        if (std::strcmp(part.name, arguments[1]) == 0) {
            running = part.name;
            alarm(guard_s);
            errno = 0;
            part.run();
            return 0;
        }
    }
    std::printf("stress-tool: no part is called %s\n", arguments[1]);
    return 1;
}
