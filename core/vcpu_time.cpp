// SPDX-License-Identifier: BSD-2-Clause
// Clock and wall clock as guests see them. Guests may write to all of it, so nothing is read back.
// Source: xen/include/public/xen.h, struct vcpu_time_info and struct shared_info.
#include "core/vcpu_time.hpp"

#include "core/cpu.hpp"
#include "core/partition.hpp"
#include "core/runstate.hpp"
#include "core/schedule.hpp"
#include "machine/clock.hpp"
#include "machine/interrupts.hpp"
#include "machine/memory.hpp"
#include "machine/registers.hpp"
#include "machine/this_cpu.hpp"

namespace bulkhead {

namespace {

vcpu_time_info_t present_time(uint32_t version)
{
    const machine::ClockScale& scale = machine::clock_scale();
    vcpu_time_info_t time{};
    time.version = version;
    time.tsc_to_system_mul = scale.multiplier;
    time.tsc_shift = scale.shift;
    if (scale.stable) {
        // The same for every vCPU and for good, so that times taken on two of them can be compared.
        time.flags = XEN_PVCLOCK_TSC_STABLE_BIT;
        time.tsc_timestamp = scale.tsc_base.raw();
        time.system_time = scale.time_base.raw();
    } else {
        const TscTicks ticks = machine::read_tsc();
        time.tsc_timestamp = ticks.raw();
        time.system_time = machine::to_time(ticks).raw();
    }
    return time;
}

// Odd while the rest changes; the guest reads in the opposite order.
void publish(vcpu_time_info_t& to, vcpu_time_info_t time)
{
    std::atomic_ref<uint32_t> version(to.version);
    version.store(time.version - 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    to.tsc_timestamp = time.tsc_timestamp;
    to.system_time = time.system_time;
    to.tsc_to_system_mul = time.tsc_to_system_mul;
    to.tsc_shift = time.tsc_shift;
    to.flags = time.flags;
    version.store(time.version, std::memory_order_release);
}

void write_time_area(const Vcpu& vcpu, vcpu_time_info_t time)
{
    const GuestVirtual area(vcpu.time.time_area.load(std::memory_order_relaxed));
    const uint32_t even = time.version;
    time.version = even - 1;
    // An area that is not mapped now gets nothing, until the next change.
    if (machine::write_guest(area, time.version) && machine::write_guest(area, time))
        (void)machine::write_guest(area, even);
}

void write_runstate_area(const Vcpu& vcpu)
{
    const GuestVirtual area(vcpu.time.runstate_area.load(std::memory_order_relaxed));
    vcpu_runstate_info_t runstate = vcpu.time.runstate;
    if ((vcpu.partition->vm_assist & (uint64_t{1} << VMASST_TYPE_runstate_update_flag)) == 0) {
        (void)machine::write_guest(area, runstate);
        return;
    }
    const GuestVirtual entry_time = area + offsetof(vcpu_runstate_info_t, state_entry_time);
    runstate.state_entry_time |= XEN_RUNSTATE_UPDATE;
    if (machine::write_guest_u64(entry_time, runstate.state_entry_time) && machine::write_guest(area, runstate))
        (void)machine::write_guest_u64(entry_time, runstate.state_entry_time & ~XEN_RUNSTATE_UPDATE);
}

// The areas belong to the guest's kernel, whose memory the user's tables need not map.
class KernelTables {
public:
    explicit KernelTables(const Vcpu& vcpu) : vcpu_(vcpu)
    {
        if (!vcpu_.pv.kernel_mode)
            machine::switch_table(vcpu_.pv.kernel_table.raw());
    }
    ~KernelTables()
    {
        if (!vcpu_.pv.kernel_mode)
            machine::switch_table(vcpu_.pv.user_table.raw());
    }
    KernelTables(const KernelTables&) = delete;
    KernelTables& operator=(const KernelTables&) = delete;

private:
    const Vcpu& vcpu_;
};

}  // namespace

void reset_time(Vcpu& vcpu)
{
    VcpuTime& time = vcpu.time;
    time.singleshot = time.periodic_next = time.poll_deadline = time.upcall_after = time.apic_deadline = never;
    time.periodic_ns = 0;
    time.periodic_request.store(no_request, std::memory_order_relaxed);
    time.runstate = {};
    time.runstate.state = RUNSTATE_offline;
    time.runstate.state_entry_time = machine::now().raw();
    time.runstate_area.store(0, std::memory_order_relaxed);
    time.time_area.store(0, std::memory_order_relaxed);
    time.stale.store(true, std::memory_order_relaxed);
    time.time_version = 0;
    vcpu.schedule.next_event = earliest_event(vcpu);
}

void write_time_areas(Vcpu& vcpu)
{
    if (vcpu.time.stale.load(std::memory_order_relaxed))
        update_time(vcpu);
    if (vcpu.time.runstate_area.load(std::memory_order_relaxed) != 0) {
        const KernelTables tables(vcpu);
        write_runstate_area(vcpu);
    }
}

int state_of_held(uint32_t held)
{
    if ((held & (hold_blocked | hold_polling)) != 0)
        return RUNSTATE_blocked;
    // Waiting for budget is waiting for the CPU; the rest is somebody's doing.
    return (held & ~uint32_t{hold_budget}) == 0 ? RUNSTATE_runnable : RUNSTATE_offline;
}

void runstate_waits(Vcpu& vcpu, Nanoseconds since)
{
    const int state = vcpu.time.runstate.state;
    if (state != RUNSTATE_running && state != RUNSTATE_runnable)
        enter_runstate(vcpu, RUNSTATE_runnable, since);
}

vcpu_runstate_info_t runstate_of(const Vcpu& vcpu)
{
    const VcpuTime& time = vcpu.time;
    vcpu_runstate_info_t copy;
    // The writer needs a few instructions a change, and changes are switches of vCPUs.
    for (unsigned tries = 0; tries < 1000; ++tries) {
        const uint32_t before = time.runstate_version.load(std::memory_order_acquire);
        copy = time.runstate;
        std::atomic_thread_fence(std::memory_order_acquire);
        if (before % 2 == 0 && time.runstate_version.load(std::memory_order_relaxed) == before)
            break;
    }
    const uint64_t now = machine::now().raw();
    const unsigned state = static_cast<unsigned>(copy.state) % 4;
    if (now > copy.state_entry_time)
        copy.time[state] += now - copy.state_entry_time;
    return copy;
}

void clock_changed()
{
    for (Partition& partition : all_partitions()) {
        for (Vcpu& vcpu : partition.vcpus)
            vcpu.time.stale.store(true, std::memory_order_relaxed);
    }
    for (uint16_t number = 0; number < cpu_count(); ++number) {
        // Release: who takes the work sees the marks.
        cpu_by_number(CpuNumber(number)).work.fetch_or(work_timer, std::memory_order_release);
        machine::poke(CpuNumber(number));
    }
}

void update_time(Vcpu& vcpu)
{
    VcpuTime& own = vcpu.time;
    // Before the clock is read: a change from here on marks it again.
    own.stale.store(!machine::clock_scale().stable, std::memory_order_seq_cst);
    own.time_version += 2;
    const vcpu_time_info_t time = present_time(own.time_version);
    publish(vcpu.info->time, time);
    if (own.time_area.load(std::memory_order_relaxed) != 0) {
        const KernelTables tables(vcpu);
        write_time_area(vcpu, time);
    }
}

void update_wall_clock(Partition& partition)
{
    const machine::WallClock clock = machine::wall_clock_base();
    shared_info_t& shared = *partition.shared;
    std::atomic_ref<uint32_t> version(shared.wc_version);
    const uint32_t even = partition.generation * 2;
    version.store(even + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    shared.wc_sec = static_cast<uint32_t>(clock.seconds);
    shared.wc_sec_hi = static_cast<uint32_t>(clock.seconds >> 32);
    shared.wc_nsec = clock.nanoseconds;
    version.store(even + 2, std::memory_order_release);
}

}  // namespace bulkhead
