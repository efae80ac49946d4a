// SPDX-License-Identifier: BSD-2-Clause
#include "tests/programs/vectors.hpp"

#include <bulkhead/time.hpp>

#include <chrono>
#include <cpuid.h>
#include <cstdint>
#include <cstring>

namespace {

constexpr unsigned registers = 16;
struct alignas(32) Values {
    uint64_t words[registers][4];
};

// XGETBV is executed by the CPU itself, so it says what may be used here.
bool has_avx()
{
    unsigned eax, ebx, ecx, edx;
    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (ecx & bit_XSAVE) == 0 || (ecx & bit_AVX) == 0)
        return false;
    uint32_t low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & 6) == 6;
}

// The program loses the CPU between the two, by the hypercall that yields it; no compiled code runs.
void hold_avx(const Values& in, Values& out)
{
    asm volatile(
        ".set n, 0\n"
        ".altmacro\n"
        ".macro load_one number\n vmovdqa 32*\\number(%[in]), %%ymm\\number\n .endm\n"
        ".macro store_one number\n vmovdqa %%ymm\\number, 32*\\number(%[out])\n .endm\n"
        ".rept 16\n load_one %%n\n .set n, n+1\n .endr\n"
        "mov $2000, %%ecx\n"
        "1: pause\n dec %%ecx\n jnz 1b\n"
        "mov $29, %%eax\n xor %%edi, %%edi\n xor %%esi, %%esi\n"      // __HYPERVISOR_sched_op, SCHEDOP_yield
        "call hypercall_page + 29 * 32\n"
        ".set n, 0\n"
        ".rept 16\n store_one %%n\n .set n, n+1\n .endr\n"
        ".purgem load_one\n .purgem store_one\n .noaltmacro\n"
        "vzeroupper\n"
        :
        : [in] "b"(&in), [out] "r"(&out)
        : "rax", "rcx", "rdi", "rsi", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
          "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

void hold_sse(const Values& in, Values& out)
{
    asm volatile(
        ".set n, 0\n"
        ".altmacro\n"
        ".macro load_one number\n movdqa 32*\\number(%[in]), %%xmm\\number\n .endm\n"
        ".macro store_one number\n movdqa %%xmm\\number, 32*\\number(%[out])\n .endm\n"
        ".rept 16\n load_one %%n\n .set n, n+1\n .endr\n"
        "mov $2000, %%ecx\n"
        "1: pause\n dec %%ecx\n jnz 1b\n"
        "mov $29, %%eax\n xor %%edi, %%edi\n xor %%esi, %%esi\n"
        "call hypercall_page + 29 * 32\n"
        ".set n, 0\n"
        ".rept 16\n store_one %%n\n .set n, n+1\n .endr\n"
        ".purgem load_one\n .purgem store_one\n .noaltmacro\n"
        :
        : [in] "b"(&in), [out] "r"(&out)
        : "rax", "rcx", "rdi", "rsi", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
          "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

}  // namespace

unsigned vectors_kept(unsigned seed, unsigned rounds)
{
    const bool avx = has_avx();
    unsigned wrong = 0;
    for (unsigned round = 0; round < rounds; ++round) {
        Values in;
        Values out = {};
        for (auto& row : in.words)
            for (auto& word : row)
                word = uint64_t{seed += 0x9e3779b9} * 0x100000001b3;
        avx ? hold_avx(in, out) : hold_sse(in, out);
        for (unsigned i = 0; i < registers; ++i)
            if (memcmp(in.words[i], out.words[i], avx ? 32 : 16) != 0) {
                ++wrong;
                break;
            }
        if (round % 16 == 0)
            bulkhead::sleep_for(std::chrono::microseconds(200));
    }
    return wrong;
}

const char* vectors_name()
{
    return has_avx() ? "AVX registers keep their values" : "SSE registers keep their values";
}
