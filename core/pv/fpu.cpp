// SPDX-License-Identifier: BSD-2-Clause
// Source: Intel SDM vol 2, "XSETBV - Set Extended Control Register".
#include "core/pv/fpu.hpp"

#include "core/hypercall.hpp"
#include "core/pv/cpuid_policy.hpp"
#include "machine/fpu.hpp"
#include "machine/registers.hpp"

namespace bulkhead {

namespace {

constexpr uint64_t x87 = 0x1;
constexpr uint64_t sse = 0x2;
constexpr uint64_t avx = 0x4;
constexpr uint64_t avx512 = 0xE0;

// Each needs the one before; the three of AVX-512 come together.
bool is_consistent(uint64_t xcr0)
{
    if ((xcr0 & x87) == 0)
        return false;
    if ((xcr0 & avx) != 0 && (xcr0 & sse) == 0)
        return false;
    if ((xcr0 & avx512) == 0)
        return true;
    return (xcr0 & avx512) == avx512 && (xcr0 & avx) != 0;
}

}  // namespace

void set_task_switched(Vcpu& vcpu, bool on)
{
    vcpu.pv.task_switched = on;
    machine::set_task_switched(on);
}

Result<> set_xcr0(Vcpu& vcpu, uint64_t value)
{
    if ((value & ~policy_xcr0()) != 0 || !is_consistent(value))
        return fail(XEN_EINVAL);
    vcpu.pv.xcr0 = value;
    machine::write_xcr0(value);
    return {};
}

long do_fpu_taskswitch(Vcpu& vcpu, HypercallArguments& arguments)
{
    set_task_switched(vcpu, arguments.value[0] != 0);
    return 0;
}

}  // namespace bulkhead
