// SPDX-License-Identifier: BSD-2-Clause
// Every register that XSAVE keeps must survive switches to other processes, signals,
// page faults, system calls and SIMD code of the kernel's own.
#include "stress.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <vector>

#include <linux/if_alg.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace stress {
namespace {

enum class Width { sse, avx, avx512 };

// 32 registers of 64 bytes, of which the narrower forms use a part.
struct alignas(64) Registers {
    std::array<std::uint8_t, 32 * 64> bytes;
};

#define EACH_OF_16(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define EACH_OF_HIGH_16(DO) DO(16) DO(17) DO(18) DO(19) DO(20) DO(21) DO(22) DO(23) DO(24) DO(25) DO(26) DO(27) DO(28) DO(29) DO(30) DO(31)
#define LOAD_XMM(n) "movups " #n "*64(%2), %%xmm" #n "\n"
#define STORE_XMM(n) "movups %%xmm" #n ", " #n "*64(%3)\n"
#define LOAD_YMM(n) "vmovups " #n "*64(%2), %%ymm" #n "\n"
#define STORE_YMM(n) "vmovups %%ymm" #n ", " #n "*64(%3)\n"
#define LOAD_ZMM(n) "vmovups " #n "*64(%2), %%zmm" #n "\n"
#define STORE_ZMM(n) "vmovups %%zmm" #n ", " #n "*64(%3)\n"
#define VECTOR_CLOBBERS                                                                              \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", \
        "xmm12", "xmm13", "xmm14", "xmm15", "memory"

// Loads all registers from %2, makes a system call or waits in user mode, stores
// them at %3: one asm, so that the compiler uses none of them between.
// rax: system call number, or -1 to spin rdi times.
#define BETWEEN                        \
    "cmp $-1, %%rax\n je 1f\n"         \
    "syscall\n jmp 2f\n"               \
    "1: dec %%rdi\n pause\n jnz 1b\n" \
    "2:\n"

#define HOLD(LOADS, STORES)                                                                  \
    asm volatile(LOADS BETWEEN STORES                                                        \
                 : "+a"(number), "+D"(argument)                                              \
                 : "b"(in), "r"(out)                                                         \
                 : "rcx", "r11", VECTOR_CLOBBERS)

void hold(Width width, const Registers* in_registers, Registers* out_registers, long number, long argument) {
    const void* in = in_registers;
    void* out = out_registers;
    switch (width) {
    case Width::sse:
        HOLD(EACH_OF_16(LOAD_XMM), EACH_OF_16(STORE_XMM));
        break;
    case Width::avx:
        HOLD(EACH_OF_16(LOAD_YMM), EACH_OF_16(STORE_YMM) "vzeroupper\n");
        break;
    case Width::avx512:
        HOLD(EACH_OF_16(LOAD_ZMM) EACH_OF_HIGH_16(LOAD_ZMM),
             EACH_OF_16(STORE_ZMM) EACH_OF_HIGH_16(STORE_ZMM) "vzeroupper\n");
        break;
    }
}

std::size_t bytes_of(Width width) { return width == Width::sse ? 16 : width == Width::avx ? 32 : 64; }
std::size_t count_of(Width width) { return width == Width::avx512 ? 32 : 16; }

void fill(Registers& registers, std::uint64_t seed) {
    Pattern pattern(seed);
    for (std::size_t at = 0; at < registers.bytes.size(); at += 8) {
        const std::uint64_t value = pattern.next();
        std::memcpy(&registers.bytes[at], &value, sizeof value);
    }
}

bool same(Width width, const Registers& one, const Registers& two) {
    for (std::size_t i = 0; i < count_of(width); ++i) {
        if (std::memcmp(&one.bytes[i * 64], &two.bytes[i * 64], bytes_of(width)) != 0) {
            return false;
        }
    }
    return true;
}

volatile sig_atomic_t handled;
Width handler_width;

// Overwrites every register: what the interrupted code held must come back from the frame.
void clobber_registers(int) {
    static Registers other;
    static Registers stored;
    fill(other, 99);
    hold(handler_width, &other, &stored, -1, 1);
    handled = handled + 1;
}

Width widest() {
    if (cpu_has("avx512f")) {
        return Width::avx512;
    }
    return cpu_has("avx") ? Width::avx : Width::sse;
}

constexpr long sched_yield_number = 24;

void keep_registers(Width width, std::uint64_t seed, int rounds) {
    Registers in{};
    Registers out{};
    for (int round = 0; round < rounds; ++round) {
        fill(in, seed + static_cast<std::uint64_t>(round) * 100);
        hold(width, &in, &out, sched_yield_number, 0);
        require(same(width, in, out), "vector registers across a system call that yields");
        hold(width, &in, &out, -1, 2000);
        require(same(width, in, out), "vector registers across preemption");
    }
}

// MXCSR, the x87 control word and a value on the x87 stack.
void keep_control_words(int id, int rounds) {
    const unsigned mxcsr = 0x1f80U | (static_cast<unsigned>(id % 4) << 13);
    const unsigned short control = static_cast<unsigned short>(0x37f | (id % 4) << 10);
    const double value = id * 1.5;
    for (int round = 0; round < rounds; ++round) {
        unsigned mxcsr_after = 0;
        unsigned short control_after = 0;
        double value_after = 0;
        long number = sched_yield_number;
        asm volatile(
            "fninit; fldcw %[control]; fldl %[value]; ldmxcsr %[mxcsr]\n"
            "syscall\n"
            "stmxcsr %[mxcsr_after]; fnstcw %[control_after]; fstpl %[value_after]; fninit\n"
            : [mxcsr_after] "=m"(mxcsr_after), [control_after] "=m"(control_after),
              [value_after] "=m"(value_after), "+a"(number)
            : [control] "m"(control), [mxcsr] "m"(mxcsr), [value] "m"(value)
            : "rcx", "r11", "memory", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");
        const unsigned standard = 0x1f80;
        asm volatile("ldmxcsr %0" : : "m"(standard));
        require(mxcsr_after == mxcsr, "MXCSR across a switch");
        require(control_after == control, "x87 control word across a switch");
        require(value_after == value, "x87 stack across a switch");
    }
}

int hash_socket(const char* algorithm) {
    const int parent = socket(AF_ALG, SOCK_SEQPACKET, 0);
    if (parent < 0) {
        return -1;
    }
    sockaddr_alg address{};
    address.salg_family = AF_ALG;
    std::strcpy(reinterpret_cast<char*>(address.salg_type), "hash");
    std::strcpy(reinterpret_cast<char*>(address.salg_name), algorithm);
    int child = -1;
    if (bind(parent, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
        child = accept(parent, nullptr, nullptr);
    }
    close(parent);
    return child;
}

using Digest = std::array<std::uint8_t, 64>;

Digest hash(int socket, const void* data, std::size_t size) {
    Digest digest{};
    require(send(socket, data, size, 0) == static_cast<ssize_t>(size), "send to the kernel's hash");
    require(read(socket, digest.data(), digest.size()) == static_cast<ssize_t>(digest.size()), "read of a digest");
    return digest;
}

}  // namespace

void vector_state() {
    const Width width = widest();
    std::printf("stress: vector-state: %zu registers of %zu bytes\n", count_of(width), bytes_of(width));
    const int cpus = online_cpus();
    std::vector<Child> children;
    for (int i = 0; i < cpus * 3; ++i) {
        // Three to a CPU, so that they take turns; with differing widths.
        children.emplace_back([=] {
            pin_to(i % cpus);
            const Width own = i % 3 == 0 ? Width::sse : width;
            keep_registers(own, static_cast<std::uint64_t>(i) + 1, 1500);
            keep_control_words(i, 2000);
        });
    }
    for (Child& child : children) {
        child.join();
    }
    Child with_signals([width] {
        handler_width = width;
        struct sigaction action{};
        action.sa_handler = clobber_registers;
        require(sigaction(SIGUSR1, &action, nullptr) == 0, "sigaction");
        const pid_t self = getpid();
        Child sender([self] {
            for (int i = 0; i < 300; ++i) {
                kill(self, SIGUSR1);
                usleep(300);
            }
        });
        Registers in{};
        Registers out{};
        fill(in, 3);
        while (handled < 20) {
            hold(width, &in, &out, -1, 3000);
            require(same(width, in, out), "vector registers across a signal");
        }
        kill(sender.pid(), SIGKILL);
    });
    with_signals.join();
}

void kernel_vector_state() {
    const int fast = hash_socket("sha512");
    const int slow = hash_socket("sha512-generic");
    if (fast < 0 || slow < 0) {
        skip("no hash sockets");
    }
    errno = 0;
    const Width width = widest();
    Child user([width] {
        pin_to(0);
        keep_registers(width, 11, 1000);
    });
    pin_to(0);
    std::vector<std::uint64_t> data(2048);
    Pattern pattern(8);
    for (int round = 0; round < 300; ++round) {
        for (auto& word : data) {
            word = pattern.next();
        }
        require(hash(fast, data.data(), data.size() * 8) == hash(slow, data.data(), data.size() * 8),
                "two of the kernel's hashes differ");
    }
    user.join();
}

}  // namespace stress
