// SPDX-License-Identifier: BSD-2-Clause
// A box of partitions and CPUs under a clock that the test moves: what the tests of scheduling, time
// and life cycle share. Each includes it first, then the .cpp files under test.
#pragma once

#include "fake_core.hpp"

#include "core/console/console.hpp"
#include "core/events.hpp"
#include "core/runstate.hpp"
#include "core/schedule.hpp"
#include "core/vcpu_time.hpp"
#include "machine/clock.hpp"
#include "machine/registers.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <vector>

namespace bulkhead::fake {

struct SentVirq {
    Vcpu* vcpu;
    unsigned virq;
    uint64_t at;
};
inline std::vector<SentVirq> virqs;
inline bool virqs_wake = true;       // as an unmasked, bound port does
inline Nanoseconds console_deadline = never;
inline std::vector<Vcpu*> polls_started;
inline std::vector<Vcpu*> polls_stopped;
inline std::function<void()> on_start_polling;

struct Planned {
    uint8_t priority;
    std::vector<uint8_t> cpus;       // of vCPU 0, 1, ...
    uint32_t budget_us = 0;
    uint32_t period_us = 0;
};

// Time is in nanoseconds from 1 s on, so that "long ago" exists.
inline constexpr uint64_t start_ns = 1'000'000'000;
inline constexpr uint64_t us = 1000;
inline constexpr uint64_t ms = 1'000'000;

class Box {
public:
    explicit Box(uint32_t cpu_number = 2)
    {
        reset_core();
        for (size_t i = 0; i < max_cpus; ++i) {
            std::destroy_at(&cpus[i].schedule);
            std::construct_at(&cpus[i].schedule);
            cpus[i].loaded = nullptr;
        }
        cpus_in_use = cpu_number;
        tsc = start_ns;
        tsc_step = 0;
        scale = {TscTicks(0), Nanoseconds(0), 0x80000000u, 1, true};
        virqs.clear();
        virqs_wake = true;
        console_deadline = never;
        polls_started.clear();
        polls_stopped.clear();
        registers = {};
    }
    ~Box() { partitions = {}; }
    Box(const Box&) = delete;
    Box& operator=(const Box&) = delete;

    void make(const std::vector<Planned>& planned, const std::vector<plan::Window>& windows = {})
    {
        const size_t count = planned.size();
        plans_ = std::make_unique<plan::Partition[]>(count);
        partitions_ = std::make_unique<Partition[]>(count);
        shared_ = std::make_unique<shared_info_t[]>(count);
        for (size_t i = 0; i < count; ++i)
            make_partition(i, planned[i]);
        partitions = {partitions_.get(), count};
        init_schedule(windows);
    }

    Partition& partition(size_t index) { return partitions_[index]; }
    plan::Partition& plan(size_t index) { return plans_[index]; }
    Vcpu& vcpu(size_t partition_index, size_t number = 0) { return partitions_[partition_index].vcpus[number]; }

    void wake(Vcpu& target) { release(target, ~uint32_t{0}); }
    void block(Vcpu& target) { hold(target, hold_blocked); }

    // One turn of the CPU's loop, as core/run.cpp does it. Returns what runs now.
    Vcpu* decide()
    {
        Cpu& cpu = this_cpu();
        Vcpu* next = nullptr;
        for (unsigned turns = 0; turns < 100; ++turns) {
            const uint32_t work = cpu.work.exchange(0);
            if ((work & work_timer) != 0)
                run_timers();
            next = pick_next();
            switch_to(cpu, next);
            if (cpu.work.load() == 0)
                return next;
        }
        FAIL("the CPU does not come to an end");
        return next;
    }

    // Lets this CPU run up to a time; counts what each vCPU got, and the interrupts of the timer.
    void run_until(uint64_t when)
    {
        Cpu& cpu = this_cpu();
        for (;;) {
            Vcpu* running = decide();
            const uint64_t next = std::max(tsc, std::min(when, cpu.schedule.timer.raw()));
            if (running != nullptr && next != tsc) {
                ran[running] += next - tsc;
                stretches.push_back({running, tsc, next});
            }
            tsc = next;
            if (cpu.schedule.timer.raw() > tsc)
                break;
            ++interrupts;
            cpu.work.fetch_or(work_timer);
            if (tsc >= when)
                break;
        }
        decide();
    }
    void run_for(uint64_t duration) { run_until(tsc + duration); }

    struct Stretch {
        Vcpu* vcpu;
        uint64_t begin;
        uint64_t end;
    };
    std::map<Vcpu*, uint64_t> ran;
    std::vector<Stretch> stretches;
    unsigned interrupts = 0;

private:
    void make_partition(size_t index, const Planned& planned)
    {
        plan::Partition& plan = plans_[index];
        std::snprintf(plan.name.data(), plan.name.size(), "p%zu", index);
        plan.domain = static_cast<uint16_t>(index + 1);
        plan.priority = planned.priority;
        plan.budget_us = planned.budget_us;
        plan.period_us = planned.period_us;
        plan.vcpus = static_cast<uint16_t>(planned.cpus.size());
        Partition& partition = partitions_[index];
        partition.id = DomainId(plan.domain);
        partition.plan = &plan;
        partition.state = PartitionState::running;
        partition.shared = &shared_[index];
        partition.events.count = event_ports;
        vcpus_.push_back(std::make_unique<Vcpu[]>(planned.cpus.size()));
        partition.vcpus = {vcpus_.back().get(), planned.cpus.size()};
        for (size_t i = 0; i < planned.cpus.size(); ++i) {
            Vcpu& vcpu = partition.vcpus[i];
            vcpu.partition = &partition;
            vcpu.number = VcpuNumber(static_cast<uint16_t>(i));
            vcpu.cpu = CpuNumber(planned.cpus[i]);
            vcpu.info = &partition.shared->vcpu_info[i];
            vcpu.pv.kernel_mode = true;
            vcpu.initialised = i == 0;
        }
    }

    void switch_to(Cpu& cpu, Vcpu* next)
    {
        if (next == cpu.current)
            return;
        Vcpu* former = cpu.current;
        cpu.current = nullptr;
        if (former != nullptr)
            runstate_switch_out(*former, former->hold.load());
        if (next == nullptr || next->schedule.core_work)
            return;
        cpu.current = next;
        runstate_switch_in(*next);
    }

    std::unique_ptr<plan::Partition[]> plans_;
    std::unique_ptr<Partition[]> partitions_;
    std::unique_ptr<shared_info_t[]> shared_;
    std::vector<std::unique_ptr<Vcpu[]>> vcpus_;
};

}  // namespace bulkhead::fake

namespace bulkhead {

inline void send_virq(Vcpu& vcpu, unsigned virq)
{
    fake::virqs.push_back({&vcpu, virq, fake::tsc});
    if (fake::virqs_wake)
        release(vcpu, hold_blocked | hold_polling);
}
inline Nanoseconds next_console_deadline() { return fake::console_deadline; }
inline void start_polling(Vcpu& vcpu, uint32_t port)
{
    vcpu.poll_port = port;
    fake::polls_started.push_back(&vcpu);
    if (fake::on_start_polling)
        fake::on_start_polling();
}
inline void stop_polling(Vcpu& vcpu) { fake::polls_stopped.push_back(&vcpu); }

}  // namespace bulkhead
