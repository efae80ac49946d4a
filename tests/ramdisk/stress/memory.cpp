// SPDX-License-Identifier: BSD-2-Clause
// Page tables from the user's side: everything that makes the kernel write entries.
#include "stress.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

namespace stress {
namespace {

constexpr std::size_t page = 4096;

std::uint64_t* map(std::size_t pages, int protection = PROT_READ | PROT_WRITE, int flags = MAP_PRIVATE) {
    void* memory = mmap(nullptr, pages * page, protection, flags | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED, "mmap");
    return static_cast<std::uint64_t*>(memory);
}

volatile std::uint64_t* word_of(std::uint64_t* memory, std::size_t index) { return memory + index * (page / 8); }

void write_pages(std::uint64_t* memory, std::size_t pages, std::uint64_t seed) {
    Pattern pattern(seed);
    for (std::size_t i = 0; i < pages; ++i) {
        *word_of(memory, i) = pattern.next();
    }
}

void check_pages(std::uint64_t* memory, std::size_t pages, std::uint64_t seed, const char* what) {
    Pattern pattern(seed);
    for (std::size_t i = 0; i < pages; ++i) {
        require(*word_of(memory, i) == pattern.next(), what);
    }
}

// A fault that the process expects: counts it and jumps back.
sigjmp_buf after_fault;
volatile sig_atomic_t fault_code;
void* volatile fault_address;

void on_fault(int, siginfo_t* information, void*) {
    fault_code = information->si_code;
    fault_address = information->si_addr;
    siglongjmp(after_fault, 1);
}

void expect_faults() {
    struct sigaction action{};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO;
    require(sigaction(SIGSEGV, &action, nullptr) == 0 && sigaction(SIGBUS, &action, nullptr) == 0, "sigaction");
}

template <class Action>
bool faults_at(const volatile void* address, int code, Action action) {
    fault_code = 0;
    fault_address = nullptr;
    if (sigsetjmp(after_fault, 1) == 0) {
        action();
        return false;
    }
    return fault_code == code && fault_address == const_cast<const void*>(address);
}

std::size_t grow_stack(std::size_t depth) {
    volatile char block[page * 2];
    block[0] = static_cast<char>(depth);
    if (depth == 0) {
        return 0;
    }
    const std::size_t below = grow_stack(depth - 1);
    require(block[0] == static_cast<char>(depth), "stack contents");
    return below + 1;
}

// A writer on another CPU waits here while its page is read-only.
std::atomic<bool> may_write{true};
std::atomic<std::uint64_t> writer_faults{0};

void wait_for_permission(int, siginfo_t*, void*) {
    writer_faults.fetch_add(1);
    while (!may_write.load()) {
        sched_yield();
    }
}

}  // namespace

void memory() {
    constexpr std::size_t pages = 2048;
    for (std::uint64_t round = 1; round <= 8; ++round) {
        std::uint64_t* area = map(pages);
        write_pages(area, pages, round);
        check_pages(area, pages, round, "anonymous memory");
        // Holes: every other block goes away, the rest stays.
        for (std::size_t i = 0; i < pages; i += 32) {
            require(munmap(area + i * (page / 8), 16 * page) == 0, "munmap of a hole");
        }
        Pattern pattern(round);
        for (std::size_t i = 0; i < pages; ++i) {
            const std::uint64_t value = pattern.next();
            require(i % 32 < 16 || *word_of(area, i) == value, "memory beside a hole");
        }
        require(munmap(area, pages * page) == 0, "munmap");
    }
    std::uint64_t* moved = map(512);
    write_pages(moved, 512, 77);
    void* elsewhere = mremap(moved, 512 * page, 2048 * page, MREMAP_MAYMOVE);
    require(elsewhere != MAP_FAILED, "mremap");
    moved = static_cast<std::uint64_t*>(elsewhere);
    check_pages(moved, 512, 77, "memory after mremap");
    require(madvise(moved, 512 * page, MADV_DONTNEED) == 0, "madvise");
    for (std::size_t i = 0; i < 512; ++i) {
        require(*word_of(moved, i) == 0, "memory given back is zero");
    }
    munmap(moved, 2048 * page);
    require(grow_stack(300) == 300, "stack growth");

    // Sparse: a table of each level for every page that is touched.
    std::vector<std::uint64_t*> sparse;
    for (std::uint64_t i = 0; i < 64; ++i) {
        void* at = reinterpret_cast<void*>(0x100000000000 + i * 0x8000000000 / 4);
        void* got = mmap(at, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        require(got == at, "mmap far apart");
        sparse.push_back(static_cast<std::uint64_t*>(got));
        *sparse.back() = i;
    }
    for (std::uint64_t i = 0; i < sparse.size(); ++i) {
        require(*sparse[i] == i, "memory far apart");
        munmap(sparse[i], page);
    }
    // Moves pages about, if the kernel offers it: migration entries in live tables.
    std::uint64_t* resident = map(1024);
    write_pages(resident, 1024, 5);
    const int compact = open("/proc/sys/vm/compact_memory", O_WRONLY);
    if (compact >= 0) {
        for (int i = 0; i < 3; ++i) {
            require(write(compact, "1", 1) == 1, "compact_memory");
            check_pages(resident, 1024, 5, "memory after compaction");
        }
        close(compact);
    }
    errno = 0;
}

void copy_on_write() {
    constexpr std::size_t pages = 512;
    std::uint64_t* privately = map(pages);
    std::uint64_t* together = map(pages, PROT_READ | PROT_WRITE, MAP_SHARED);
    write_pages(privately, pages, 1);
    write_pages(together, pages, 2);
    for (std::uint64_t round = 0; round < 10; ++round) {
        std::vector<Child> children;
        for (std::uint64_t i = 0; i < 6; ++i) {
            children.emplace_back([=] {
                check_pages(privately, pages, 1, "parent's memory in a child");
                write_pages(privately, pages, 100 + i);
                check_pages(together, pages, 2, "shared memory in a child");
                check_pages(privately, pages, 100 + i, "child's own memory");
            });
        }
        for (Child& child : children) {
            child.join();
        }
        check_pages(privately, pages, 1, "parent's memory after children wrote theirs");
    }
    Child writer([=] { write_pages(together, pages, 3); });
    writer.join();
    check_pages(together, pages, 3, "shared memory written by a child");

    // A page that both write at the same time, on two CPUs.
    auto* counter = static_cast<std::atomic<std::uint64_t>*>(shared_memory(page));
    const auto add = [counter] {
        for (int i = 0; i < 100'000; ++i) {
            counter->fetch_add(1, std::memory_order_relaxed);
        }
    };
    Child one(add);
    Child two(add);
    one.join();
    two.join();
    require(counter->load() == 200'000, "atomic additions of two processes");
}

void protection() {
    expect_faults();
    constexpr std::size_t pages = 64;
    std::uint64_t* area = map(pages);
    write_pages(area, pages, 9);
    const auto write_first = [area] { *word_of(area, 0) = 1; };
    const auto read_first = [area] { (void)*word_of(area, 0); };
    for (int round = 0; round < 50; ++round) {
        require(mprotect(area, pages * page, PROT_READ) == 0, "mprotect read-only");
        require(faults_at(area, SEGV_ACCERR, write_first), "write to a read-only page faults there");
        check_pages(area, pages, 9, "read-only memory");
        require(mprotect(area, pages * page, PROT_NONE) == 0, "mprotect no access");
        require(faults_at(area, SEGV_ACCERR, read_first), "read of a page without access faults there");
        require(mprotect(area, pages * page, PROT_READ | PROT_WRITE) == 0, "mprotect writable");
        write_pages(area, pages, 9);
    }
    // ret, first in a page without execute permission, then with it.
    std::memset(area, 0xc3, page);
    auto* code = reinterpret_cast<void (*)()>(area);
    require(faults_at(area, SEGV_ACCERR, code), "execution of a data page faults there");
    require(mprotect(area, page, PROT_READ | PROT_EXEC) == 0, "mprotect executable");
    require(!faults_at(area, 0, code), "execution of a code page");
    require(munmap(area, pages * page) == 0, "munmap");
    require(faults_at(area, SEGV_MAPERR, read_first), "read of an unmapped page faults there");
    errno = 0;
}

void shootdown() {
    struct sigaction action{};
    action.sa_sigaction = wait_for_permission;
    action.sa_flags = SA_SIGINFO;
    require(sigaction(SIGSEGV, &action, nullptr) == 0, "sigaction");
    const int cpus = online_cpus();
    constexpr std::size_t pages = 16;
    std::uint64_t* area = map(pages);
    std::atomic<bool> stop{false};
    std::vector<std::thread> writers;
    for (int i = 0; i < std::max(cpus, 2); ++i) {
        writers.emplace_back([=, &stop] {
            pin_to(i % cpus);
            for (std::uint64_t n = 0; !stop.load(std::memory_order_relaxed); ++n) {
                __atomic_fetch_add(area + n % pages * (page / 8), 1, __ATOMIC_RELAXED);
            }
        });
    }
    const auto total = [area] {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < pages; ++i) {
            sum += *word_of(area, i);
        }
        return sum;
    };
    for (int round = 0; round < 200; ++round) {
        may_write.store(false);
        require(mprotect(area, pages * page, PROT_READ) == 0, "mprotect read-only");
        const std::uint64_t before = total();
        for (int i = 0; i < 20; ++i) {
            sched_yield();
            require(total() == before, "another CPU wrote to a page after it became read-only");
        }
        require(mprotect(area, pages * page, PROT_READ | PROT_WRITE) == 0, "mprotect writable");
        may_write.store(true);
        while (total() == before) {
            sched_yield();
        }
    }
    stop.store(true);
    for (auto& writer : writers) {
        writer.join();
    }
    require(writer_faults.load() > 0, "no writer ever met a read-only page");
    errno = 0;
}

void page_out() {
    // The script turns a compressed RAM disk into swap before this part.
    constexpr std::size_t pages = 1024;
    std::FILE* swaps = std::fopen("/proc/swaps", "r");
    std::array<char, 256> line{};
    int lines = 0;
    while (swaps != nullptr && std::fgets(line.data(), line.size(), swaps) != nullptr) {
        ++lines;
    }
    if (swaps != nullptr) {
        std::fclose(swaps);
    }
    if (lines < 2) {
        skip("no swap");
    }
    std::uint64_t* area = map(pages);
    write_pages(area, pages, 3);
    std::vector<unsigned char> present(pages);
    std::size_t left = 0;
    for (int round = 0; round < 4; ++round) {
        require(madvise(area, pages * page, MADV_PAGEOUT) == 0, "madvise page-out");
        require(mincore(area, pages * page, present.data()) == 0, "mincore");
        left += static_cast<std::size_t>(std::count_if(present.begin(), present.end(), [](auto c) { return (c & 1) == 0; }));
        Child child([area] { check_pages(area, pages, 3, "swapped memory in a child"); });
        check_pages(area, pages, 3, "swapped memory");
        child.join();
    }
    require(left > 0, "no page ever left");
}

void bad_pointers() {
    auto* nowhere = reinterpret_cast<void*>(0x1000);
    auto* kernel = reinterpret_cast<void*>(0xffff888000000000);
    auto* hypervisor = reinterpret_cast<void*>(0xffff830000000000);
    auto* odd = reinterpret_cast<void*>(0x8000000000000000);
    const int zero = open("/dev/zero", O_RDWR);
    require(zero >= 0, "open /dev/zero");
    std::uint64_t* read_only = map(1, PROT_READ);
    for (int round = 0; round < 200; ++round) {
        for (void* bad : {nowhere, kernel, hypervisor, odd, static_cast<void*>(read_only)}) {
            errno = 0;
            require(read(zero, bad, 64) == -1 && errno == EFAULT, "read into a bad pointer");
        }
        for (void* bad : {nowhere, kernel, hypervisor, odd}) {
            errno = 0;
            require(open(static_cast<const char*>(bad), O_RDONLY) == -1 && errno == EFAULT, "open of a bad pointer");
        }
    }
    // A buffer whose second page is missing: the part that fits is filled.
    std::uint64_t* two = map(2);
    require(munmap(two + page / 8, page) == 0, "munmap of the second page");
    char* near_end = reinterpret_cast<char*>(two) + page - 100;
    std::memset(near_end, 1, 100);
    errno = 0;
    (void)!read(zero, near_end, 200);
    require(near_end[0] == 0 || errno == EFAULT, "read across the end of memory");

    // User code itself reaching for the hypervisor and the kernel.
    expect_faults();
    for (void* bad : {kernel, hypervisor}) {
        auto* word = static_cast<volatile std::uint64_t*>(bad);
        require(faults_at(bad, SEGV_MAPERR, [word] { (void)*word; }), "user read of privileged memory faults there");
        require(faults_at(bad, SEGV_MAPERR, [word] { *word = 1; }), "user write of privileged memory faults there");
    }
    errno = 0;
}

}  // namespace stress
