// SPDX-License-Identifier: BSD-2-Clause
// Hypercalls through the page that the hypervisor filled in. The number is a template argument, so
// that each call is one direct `call`.
#pragma once

#include <cstdint>

extern "C" {
#include <xen/xen.h>
extern char hypercall_page[];
}

template <unsigned number>
[[gnu::always_inline]] inline long hypercall(uint64_t a1 = 0, uint64_t a2 = 0, uint64_t a3 = 0,
                                             uint64_t a4 = 0, uint64_t a5 = 0)
{
    long result;
    register uint64_t r10 asm("r10") = a4;
    register uint64_t r8 asm("r8") = a5;
    asm volatile("call hypercall_page + %c[offset]"
                 : "=a"(result), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
                 : [offset] "i"(number * 32)
                 : "memory", "rcx", "r9", "r11");
    return result;
}

template <class T>
[[gnu::always_inline]] inline uint64_t as_argument(T* pointer)
{
    return reinterpret_cast<uint64_t>(pointer);
}
