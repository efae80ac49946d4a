// SPDX-License-Identifier: BSD-2-Clause
// Segments: 32-bit system calls, descriptors of the process's own, segment bases.
#include "stress.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include <asm/ldt.h>
#include <asm/prctl.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace stress {
namespace {

constexpr const char* program32 = "/bin/stress-32";

long int80(long number, long first = 0) {
    long result = 0;
    asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first) : "memory", "r8", "r9", "r10", "r11");
    return result;
}

long read_through_fs() {
    long value = 0;
    asm volatile("mov %%fs:0, %0" : "=r"(value));
    return value;
}

long read_through_gs() {
    long value = 0;
    asm volatile("mov %%gs:0, %0" : "=r"(value));
    return value;
}

void set_descriptor(unsigned index, const void* base, bool code) {
    user_desc descriptor{};
    descriptor.entry_number = index;
    descriptor.base_addr = static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(base));
    descriptor.limit = 0xfffff;
    descriptor.seg_32bit = 1;
    descriptor.contents = code ? MODIFY_LDT_CONTENTS_CODE : MODIFY_LDT_CONTENTS_DATA;
    descriptor.limit_in_pages = 1;
    descriptor.useable = 1;
    require(syscall(SYS_modify_ldt, 0x11, &descriptor, sizeof descriptor) == 0, "modify_ldt");
}

constexpr std::uint16_t ldt_selector(unsigned index) { return static_cast<std::uint16_t>(index << 3 | 7); }

}  // namespace

void int80() {
    constexpr long getpid32 = 20;
    constexpr long brk32 = 45;
    for (int i = 0; i < 2000; ++i) {
        require(int80(getpid32) == getpid(), "getpid by int 0x80");
    }
    require(int80(brk32) != 0, "brk by int 0x80");
    require(int80(9999) == -ENOSYS, "unknown number by int 0x80");

    // A 32-bit program: int 0x80, the vDSO's way, its own thread area, a signal.
    if (access(program32, X_OK) != 0) {
        skip("no 32-bit program");
    }
    std::vector<Child> children;
    for (int i = 0; i < 4; ++i) {
        children.emplace_back([] {
            execl(program32, "stress-32", nullptr);
            fail("exec of a 32-bit program");
        });
    }
    for (Child& child : children) {
        child.join();
    }
}

void descriptor_table() {
    auto* low = static_cast<std::uint32_t*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE | PROT_EXEC,
                                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));
    require(low != MAP_FAILED, "memory below 4 GiB");
    std::vector<Child> children;
    for (unsigned id = 0; id < 4; ++id) {
        // Each process has a table of its own; they take turns on one CPU.
        children.emplace_back([low, id] {
            pin_to(0);
            low[0] = 0x1000 + id;
            for (unsigned i = 0; i < 40; ++i) {
                set_descriptor(i, low, false);
            }
            for (unsigned round = 0; round < 500; ++round) {
                std::uint32_t value = 0;
                asm volatile("mov %w1, %%gs; mov %%gs:0, %0" : "=r"(value) : "r"(ldt_selector(round % 40)));
                require(value == 0x1000 + id, "read through a descriptor of the process's own");
                sched_yield();
                asm volatile("mov %%gs:0, %0" : "=r"(value));
                require(value == 0x1000 + id, "segment register across a switch");
            }
            asm volatile("mov %w0, %%gs" : : "r"(0));
            // 32-bit code of the process's own: mov $id, %eax; lret.
            auto* code = reinterpret_cast<std::uint8_t*>(low) + 4096;
            const std::array<std::uint8_t, 6> instructions = {0xb8, static_cast<std::uint8_t>(id), 0, 0, 0, 0xcb};
            std::memcpy(code, instructions.data(), instructions.size());
            set_descriptor(41, code, true);
            // A far call from 64-bit code pushes 32-bit words with this operand size; the stack
            // must lie below 4 GiB for the 32-bit return.
            auto* stack_top = reinterpret_cast<std::uint8_t*>(low) + 4000;
            struct [[gnu::packed]] {
                std::uint32_t offset;
                std::uint16_t selector;
            } target = {0, ldt_selector(41)};
            auto* far_pointer = reinterpret_cast<std::uint8_t*>(low) + 64;
            std::memcpy(far_pointer, &target, sizeof target);
            // The return address must fit 32 bits, so the call itself runs from low memory:
            // lcall *(%rcx); jmp *%rdx
            auto* trampoline = code + 256;
            const std::array<std::uint8_t, 4> call = {0xff, 0x19, 0xff, 0xe2};
            std::memcpy(trampoline, call.data(), call.size());
            for (int round = 0; round < 100; ++round) {
                std::uint64_t result = 0;
                asm volatile(
                    "mov %%rsp, %%r12\n"
                    "mov %[stack], %%rsp\n"
                    "lea 1f(%%rip), %%rdx\n"
                    "jmp *%[trampoline]\n"
                    "1: mov %%r12, %%rsp\n"
                    : "=&a"(result)
                    : [stack] "r"(stack_top), [trampoline] "r"(trampoline), "c"(far_pointer)
                    : "rdx", "r12", "memory");
                require((result & 0xffffffff) == id, "far call into a 32-bit segment");
                sched_yield();
            }
        });
    }
    for (Child& child : children) {
        child.join();
    }
    errno = 0;
}

void segment_bases() {
    std::vector<Child> children;
    const bool instructions = (getauxval(AT_HWCAP2) & 2) != 0;  // FSGSBASE for user code
    std::printf("stress: segment-bases: wrgsbase %s\n", instructions ? "used" : "not offered");
    const int cpus = online_cpus();
    for (int id = 0; id < cpus * 3; ++id) {
        children.emplace_back([=] {
            pin_to(id % cpus);
            std::array<long, 2> block = {id + 1000, id + 2000};
            for (int round = 0; round < 1000; ++round) {
                long* base = &block[static_cast<std::size_t>(round) % 2];
                const auto raw = reinterpret_cast<unsigned long>(base);
                if (instructions && round % 4 < 2) {
                    asm volatile("wrgsbase %0" : : "r"(raw));
                } else {
                    require(syscall(SYS_arch_prctl, ARCH_SET_GS, raw) == 0, "set the GS base");
                }
                sched_yield();
                require(read_through_gs() == *base, "GS base across a switch");
                unsigned long read_back = 0;
                require(syscall(SYS_arch_prctl, ARCH_GET_GS, &read_back) == 0 && read_back == raw, "get the GS base");
                unsigned long fs_base = 0;
                require(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs_base) == 0, "get the FS base");
                require(static_cast<unsigned long>(read_through_fs()) == fs_base, "the C library's FS base");
            }
            // A null selector leaves no stale base behind.
            syscall(SYS_arch_prctl, ARCH_SET_GS, 0UL);
        });
    }
    for (Child& child : children) {
        child.join();
    }
    errno = 0;
}

}  // namespace stress
