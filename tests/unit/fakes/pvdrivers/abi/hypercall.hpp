// SPDX-License-Identifier: BSD-2-Clause
// Hypercalls of a ring-3 program on the host: each goes to the function that the test has set.
#pragma once

#include <cstdint>
#include <functional>

extern "C" {
#include <xen/xen.h>
}

namespace fake {

using Hypercall = std::function<long(unsigned number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)>;
inline Hypercall hypervisor = [](unsigned, uint64_t, uint64_t, uint64_t, uint64_t) -> long { return -38; };

}  // namespace fake

template <unsigned number>
long hypercall(uint64_t a1 = 0, uint64_t a2 = 0, uint64_t a3 = 0, uint64_t a4 = 0, uint64_t = 0)
{
    return fake::hypervisor(number, a1, a2, a3, a4);
}

template <class T>
uint64_t as_argument(T* pointer)
{
    return reinterpret_cast<uint64_t>(pointer);
}
