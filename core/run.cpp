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
#include "core/runstate.hpp"
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

// The CPU no longer runs on the partition's page tables.
void let_go(Partition& partition, uint64_t cpu)
{
    partition.memory.running_on.fetch_and(~cpu, std::memory_order_seq_cst);
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
    let_go(*cpu.loaded->partition, cpu_bit(cpu));
    cpu.loaded = nullptr;
}

[[gnu::cold, gnu::noinline]] void trace_switch(TraceEvent event, const Vcpu& vcpu)
{
    trace_record(event, uint64_t{vcpu.partition->id.raw()} << 16 | vcpu.number.raw(), 0);
}

// A CPU must not sleep, run another vCPU or do the core's work on the tables of a partition whose life has
// ended: the partition's home CPU waits for them to be let go.
[[gnu::cold, gnu::noinline]] void unload_stopped(Cpu& cpu)
{
    const Vcpu* vcpu = cpu.loaded;
    unload(cpu);
    Cpu& home = cpu_by_number(vcpu->partition->vcpus[0].cpu);
    home.work.fetch_or(work_lifecycle, std::memory_order_release);
    machine::poke(home.number);
}

// Takes the running vCPU off. It stays loaded in case it comes back, unless its life has ended.
void leave(Cpu& cpu, Vcpu& vcpu, const GuestFrame& frame)
{
    if (trace_enabled.load(std::memory_order_relaxed)) [[unlikely]]
        trace_switch(TraceEvent::vcpu_leave, vcpu);
    machine::copy_bytes(&vcpu.registers, &frame, sizeof(frame));
    cpu.current = nullptr;
}

bool is_stopped(uint32_t held) { return (held & hold_stopped) != 0; }

// After pick_next(), which has told those that hold a vCPU from here on that this one does not run: they
// ask the CPU to look again, and it comes here again.
void leave_others(Cpu& cpu, const GuestFrame& frame)
{
    Vcpu* vcpu = cpu.current;
    if (vcpu != nullptr) {
        leave(cpu, *vcpu, frame);
        const uint32_t held = vcpu->hold.load(std::memory_order_acquire);
        runstate_switch_out(*vcpu, held);
        if (is_stopped(held)) [[unlikely]]
            unload_stopped(cpu);
    } else if (cpu.loaded != nullptr && is_stopped(cpu.loaded->hold.load(std::memory_order_acquire))) {
        unload_stopped(cpu);
    }
}

// Cpu::loaded is `next` before anything of it is loaded: a selector may need a page of the LDT that is not
// mapped yet.
[[gnu::always_inline]] inline void exchange_state(Cpu& cpu, Vcpu* former, Vcpu& next)
{
    if (former != nullptr && former->hardware == nullptr && next.hardware == nullptr) [[likely]] {
        cpu.loaded = &next;
        machine::exchange_guests(*former, next);
        return;
    }
    if (former != nullptr)
        save(*former);
    cpu.loaded = &next;
    load(next);
}

// Another CPU that changes the tables of a partition looks at running_on for who may have them cached:
// set before its tables are loaded, and cleared when others are.
void change_loaded(Cpu& cpu, Vcpu& next)
{
    Vcpu* former = cpu.loaded;
    if (former != nullptr && former->partition == next.partition) {
        exchange_state(cpu, former, next);
        return;
    }
    const uint64_t bit = cpu_bit(cpu);
    machine::change_partition(cpu, *next.partition);
    next.partition->memory.running_on.fetch_or(bit, std::memory_order_seq_cst);
    exchange_state(cpu, former, next);
    if (former != nullptr)
        let_go(*former->partition, bit);
}

void enter_vcpu(Cpu& cpu, GuestFrame& frame, Vcpu& next)
{
    if (cpu.loaded != &next)
        change_loaded(cpu, next);
    machine::copy_bytes(&frame, &next.registers, sizeof(frame));
    cpu.current = &next;
    if (trace_enabled.load(std::memory_order_relaxed)) [[unlikely]]
        trace_switch(TraceEvent::vcpu_enter, next);
    runstate_switch_in(next);
}

void deliver_pending(Vcpu& vcpu, GuestFrame& frame)
{
    if (vcpu.pv.nmi_pending && !vcpu.pv.nmi_masked && vcpu.hardware == nullptr)
        deliver_nmi(vcpu, frame);
}

void do_requested_work(uint32_t work)
{
    if ((work & ~uint32_t{work_reschedule}) == 0) [[likely]]
        return;
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

// Slice after slice with no decision in between, as a guest runs: until it is done, or somebody wants this
// CPU's attention.
void do_core_work(const Cpu& cpu, Vcpu& vcpu)
{
    unload_partition(*vcpu.partition);
    do {
        lifecycle_step(vcpu);
        machine::take_interrupts();
    } while (vcpu.schedule.core_work && cpu.work.load(std::memory_order_relaxed) == 0);
}

// Chooses until there is nothing else to do; the vCPU is current then.
Vcpu& find_guest(GuestFrame& frame)
{
    Cpu& cpu = this_cpu();
    for (;;) {
        // Acquire pairs with the release of whoever set a bit and poked this CPU.
        do_requested_work(cpu.work.exchange(0, std::memory_order_acquire));
        Vcpu* next = pick_next();
        if (next != cpu.current || next == nullptr)
            leave_others(cpu, frame);
        if (next == nullptr) {
            machine::halt_until_work();
            continue;
        }
        if (next->schedule.core_work) {
            do_core_work(cpu, *next);
            continue;
        }
        if (next != cpu.current)
            enter_vcpu(cpu, frame, *next);
        deliver_pending(*next, frame);
        if (cpu.work.load(std::memory_order_relaxed) == 0)
            return *next;
    }
}

}  // namespace

// A hardware vCPU runs below here; only a PV one is left to the entry code.
// Without a frame pointer: a back trace leaves it out.
[[gnu::optimize("omit-frame-pointer")]] void guest_work(GuestFrame& frame)
{
    for (;;) {
        Vcpu& vcpu = find_guest(frame);
        if (vcpu.hardware == nullptr) [[likely]]
            return;
        hardware_operations.run(vcpu, frame);
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
