// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_multicall of PV guests.
#include "core/multicall.hpp"

namespace bulkhead {

long do_multicall(Vcpu& vcpu, HypercallArguments& arguments)
{
    return multicall::carry_out(vcpu, arguments, [](Vcpu& caller, uint64_t number, HypercallArguments& call)
                                __attribute__((always_inline)) { return run_hypercall(caller, number, call); });
}

}  // namespace bulkhead
