// SPDX-License-Identifier: BSD-2-Clause
// The loop of a CPU: requested work, then the choice of a vCPU, then the switch to it, or sleep.
// A vCPU whose CPU goes idle stays loaded, so that waking it costs no switch.
#include "core/run.hpp"

#include "core/checked.hpp"
#include "core/console/console.hpp"
#include "core/cpu.hpp"
#include "core/hardware.hpp"
#include "core/lifecycle.hpp"
#include "core/partition.hpp"
#include "core/pv/bounce.hpp"
#include "core/pv/entry_points.hpp"
#include "core/schedule.hpp"
#include "core/trace.hpp"
#include "core/vcpu_time.hpp"
#include "machine/copy.hpp"
#include "machine/guest_view.hpp"
#include "machine/interrupts.hpp"
#include "machine/speculation.hpp"
#include "machine/switch.hpp"
#include "machine/this_cpu.hpp"
#include "machine/tlb.hpp"

namespace bulkhead {

namespace {

uint64_t cpu_bit(const Cpu& cpu) { return uint64_t{1} << cpu.number.raw(); }

// The CPU no longer runs on the page tables of `former`.
void let_go(const Cpu& cpu, const Vcpu* former, const Vcpu* next)
{
    if (former != nullptr && (next == nullptr || next->partition != former->partition))
        former->partition->memory.running_on.fetch_and(~cpu_bit(cpu), std::memory_order_seq_cst);
}

void save(Vcpu& vcpu)
{
    if (vcpu.hardware != nullptr)
        hardware_operations.save(vcpu);
    else
        machine::save_guest(vcpu);
}

void load(Vcpu& vcpu)
{
    if (vcpu.hardware != nullptr)
        hardware_operations.load(vcpu);
    else
        machine::load_guest(vcpu);
}

void unload(Cpu& cpu)
{
    save(*cpu.loaded);
    machine::load_idle();
    let_go(cpu, cpu.loaded, nullptr);
    cpu.loaded = nullptr;
}

uint64_t trace_name(const Vcpu& vcpu) { return uint64_t{vcpu.partition->id.raw()} << 16 | vcpu.number.raw(); }

// Takes the running vCPU off. It stays loaded in case it comes back, unless its life has ended: then
// the partition's home CPU waits for its tables to be let go.
void leave_current(Cpu& cpu, const GuestFrame& frame)
{
    Vcpu* vcpu = cpu.current;
    if (vcpu == nullptr)
        return;
    trace(TraceEvent::vcpu_leave, trace_name(*vcpu));
    machine::copy_bytes(&vcpu->registers, &frame, sizeof(frame));
    cpu.current = nullptr;
    runstate_switch_out(*vcpu);
}

// A CPU must not sleep or do the core's work on the tables of a partition whose life has ended.
void unload_if_stopped(Cpu& cpu)
{
    Vcpu* vcpu = cpu.loaded;
    if (vcpu == nullptr || vcpu == cpu.current || (vcpu->hold.load(std::memory_order_acquire) & hold_stopped) == 0)
        return;
    unload(cpu);
    Cpu& home = cpu_by_number(vcpu->partition->vcpus[0].cpu);
    home.work.fetch_or(work_lifecycle, std::memory_order_release);
    machine::poke(home.number);
}

void enter_vcpu(Cpu& cpu, GuestFrame& frame, Vcpu& next)
{
    if (cpu.loaded != &next) {
        const Vcpu* former = cpu.loaded;
        if (former != nullptr)
            save(*cpu.loaded);
        // Before the load: a selector may need a page of the LDT that is not mapped yet.
        cpu.loaded = &next;
        if (cpu.machine.trained_by != next.partition)
            machine::change_partition(cpu, *next.partition);
        load(next);
        let_go(cpu, former, &next);
    }
    machine::copy_bytes(&frame, &next.registers, sizeof(frame));
    cpu.current = &next;
    trace(TraceEvent::vcpu_enter, trace_name(next));
    runstate_switch_in(next);
}

void deliver_pending(Vcpu& vcpu, GuestFrame& frame)
{
    if (vcpu.pv.nmi_pending && !vcpu.pv.nmi_masked && vcpu.hardware == nullptr)
        deliver_nmi(vcpu, frame);
}

void do_requested_work(uint32_t work)
{
    if constexpr (checked_build) {
        if ((work & work_check) != 0)
            checked::stand_still();
    }
    if ((work & work_timer) != 0)
        run_timers();
    if ((work & work_console) != 0) {
        // A share of work each: what led here, the console's, and what follows.
        machine::take_interrupts();
        console_work();
        machine::take_interrupts();
        note_console_deadline();
    }
    if ((work & work_view) != 0 && this_cpu().loaded != nullptr && this_cpu().loaded->hardware == nullptr)
        machine::choose_view(*this_cpu().loaded);
    if ((work & work_lifecycle) != 0)
        lifecycle_work();
}

// Chooses until there is nothing else to do.
void find_guest(GuestFrame& frame)
{
    Cpu& cpu = this_cpu();
    for (;;) {
        // Acquire pairs with the release of whoever set a bit and poked this CPU.
        do_requested_work(cpu.work.exchange(0, std::memory_order_acquire));
        Vcpu* next = pick_next();
        if (next != cpu.current)
            leave_current(cpu, frame);
        unload_if_stopped(cpu);
        if (next == nullptr) {
            machine::halt_until_work();
            continue;
        }
        if (next->schedule.core_work) {
            unload_partition(*next->partition);
            lifecycle_step(*next);
            machine::take_interrupts();
            continue;
        }
        if (next != cpu.current)
            enter_vcpu(cpu, frame, *next);
        deliver_pending(*next, frame);
        if (cpu.work.load(std::memory_order_relaxed) == 0)
            return;
    }
}

}  // namespace

// A hardware vCPU runs below here; only a PV one is left to the entry code.
void guest_work(GuestFrame& frame)
{
    Cpu& cpu = this_cpu();
    for (;;) {
        find_guest(frame);
        if (cpu.current->hardware == nullptr) [[likely]]
            return;
        hardware_operations.run(*cpu.current, frame);
    }
}

void unload_partition(const Partition& partition)
{
    Cpu& cpu = this_cpu();
    if (cpu.loaded == nullptr || cpu.loaded->partition != &partition)
        return;
    unload(cpu);
}

}  // namespace bulkhead
