// SPDX-License-Identifier: BSD-2-Clause
// See inspection.hpp.
#include "core/monitor/inspection.hpp"

#include "core/cpu.hpp"
#include "core/hardware.hpp"
#include "core/partition.hpp"
#include "core/schedule.hpp"

namespace bulkhead {

namespace {

bool is_put_away(const Vcpu& vcpu)
{
    return __atomic_load_n(&cpu_by_number(vcpu.cpu).current, __ATOMIC_ACQUIRE) != &vcpu;
}

void let_go(CommandRun& run) { release(run.partition->vcpus[run.item], hold_inspected); }

}  // namespace

bool take_registers(CommandRun& run, GuestFrame& frame)
{
    Vcpu& vcpu = run.partition->vcpus[run.item];
    hold(vcpu, hold_inspected);
    run.give_up = let_go;
    if (!is_put_away(vcpu)) {
        run.waiting = true;
        return false;
    }
    frame = vcpu.registers;
    if (vcpu.hardware != nullptr)
        run.paging = hardware_operations.paging(vcpu);
    let_go(run);
    run.give_up = nullptr;
    return true;
}

}  // namespace bulkhead
