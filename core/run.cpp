// SPDX-License-Identifier: BSD-2-Clause
// The loop of a CPU: requested work, then the choice of a vCPU, then the switch to it, or sleep.
// A vCPU whose CPU goes idle stays loaded, so that waking it costs no switch.
#include "core/run.hpp"

#include "core/console/console.hpp"
#include "core/cpu.hpp"
#include "core/lifecycle.hpp"
#include "core/partition.hpp"
#include "core/pv/bounce.hpp"
#include "core/pv/entry_points.hpp"
#include "core/schedule.hpp"
#include "machine/switch.hpp"
#include "machine/this_cpu.hpp"
#include "machine/tlb.hpp"

namespace bulkhead {

namespace {

uint64_t cpu_bit(const Cpu& cpu) { return uint64_t{1} << cpu.number.raw(); }

// The CPU no longer runs on the page tables of `loaded`.
void forget_loaded(Cpu& cpu, const Vcpu* next)
{
    if (cpu.loaded != nullptr && (next == nullptr || next->partition != cpu.loaded->partition))
        cpu.loaded->partition->memory.running_on.fetch_and(~cpu_bit(cpu), std::memory_order_seq_cst);
    cpu.loaded = nullptr;
}

void leave_current(Cpu& cpu, const GuestFrame& frame)
{
    if (cpu.current == nullptr)
        return;
    cpu.current->registers = frame;
    runstate_switch_out(*cpu.current);
    cpu.current = nullptr;
}

void enter_vcpu(Cpu& cpu, GuestFrame& frame, Vcpu& next)
{
    if (cpu.loaded != &next) {
        if (cpu.loaded != nullptr)
            machine::save_guest(*cpu.loaded);
        machine::load_guest(next);
        forget_loaded(cpu, &next);
        cpu.loaded = &next;
    }
    frame = next.registers;
    cpu.current = &next;
    runstate_switch_in(next);
}

void deliver_pending(Vcpu& vcpu, GuestFrame& frame)
{
    if (vcpu.pv.nmi_pending && !vcpu.pv.nmi_masked)
        deliver_nmi(vcpu, frame);
}

void do_requested_work(uint32_t work)
{
    if ((work & work_timer) != 0)
        run_timers();
    if ((work & work_console) != 0)
        console_work();
    if ((work & work_lifecycle) != 0)
        lifecycle_work();
}

}  // namespace

void guest_work(GuestFrame& frame)
{
    Cpu& cpu = this_cpu();
    for (;;) {
        // Acquire pairs with the release of whoever set a bit and poked this CPU.
        do_requested_work(cpu.work.exchange(0, std::memory_order_acquire));
        Vcpu* next = pick_next();
        if (next != cpu.current)
            leave_current(cpu, frame);
        if (next == nullptr) {
            machine::halt_until_work();
            continue;
        }
        if (next->partition->state.load(std::memory_order_acquire) == PartitionState::building) {
            lifecycle_step(*next->partition);
            continue;
        }
        if (next != cpu.current)
            enter_vcpu(cpu, frame, *next);
        deliver_pending(*next, frame);
        if (cpu.work.load(std::memory_order_relaxed) == 0)
            return;
    }
}

void unload_partition(const Partition& partition)
{
    Cpu& cpu = this_cpu();
    if (cpu.loaded == nullptr || cpu.loaded->partition != &partition)
        return;
    machine::save_guest(*cpu.loaded);
    machine::load_idle();
    forget_loaded(cpu, nullptr);
}

}  // namespace bulkhead
