// SPDX-License-Identifier: BSD-2-Clause
// The CPUID instruction.
#pragma once

#include <cstdint>

namespace bulkhead {

struct CpuidResult {
    uint32_t eax, ebx, ecx, edx;
};

[[nodiscard]] inline CpuidResult cpuid(uint32_t leaf, uint32_t subleaf = 0)
{
    CpuidResult r;
    asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}

}  // namespace bulkhead
