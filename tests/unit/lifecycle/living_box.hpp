// SPDX-License-Identifier: BSD-2-Clause
// A box whose partitions live: what is cleared and built between two lives is noted here, and the CPUs do
// their loops.
#pragma once

#include <CppUTest/TestHarness.h>

#include "tests/unit/schedule/box.hpp"

#include "core/console/source.hpp"
#include "core/lifecycle.cpp"
#include "core/lifecycle_step.cpp"
#include "core/machine_service.cpp"
#include "core/partition_fault.cpp"
#include "core/pv/vcpu_reset.cpp"
#include "core/schedule.cpp"
#include "core/schedule_requests.cpp"
#include "core/schedule_start.cpp"
#include "core/services.cpp"
#include "core/vcpu_time.cpp"
#include "core/vcpu_timers.cpp"
#include "core/slot_health.hpp"
#include "core/watchdog.cpp"

#include <string>

namespace bulkhead {

// What the parts that are cleared and built were asked for, in order: "events 1" is partition 1.
inline std::vector<std::string> calls;
inline unsigned slices;                  // that each stage needs
inline std::map<std::string, unsigned> done_slices;
inline std::map<const Partition*, Partition*> holders;
inline bool build_fails;
inline std::string partition_log;
inline StartGrants given_grants;

inline bool slice(const char* what, const Partition& partition)
{
    const std::string name = std::string(what) + " " + std::to_string(partition.id.raw());
    if (++done_slices[name] < slices)
        return false;
    done_slices[name] = 0;
    calls.push_back(name);
    return true;
}

inline Nanoseconds check_slot_health(Nanoseconds) { return never; }

inline bool reset_events(Partition& partition) { return slice("events", partition); }
inline bool reset_grants(Partition& partition)
{
    if (!slice("grants", partition))
        return false;
    std::erase_if(holders, [&](const auto& held) { return held.second == &partition; });
    return true;
}
inline Partition* first_foreign_holder(const Partition& partition)
{
    const auto found = holders.find(&partition);
    return found != holders.end() ? found->second : nullptr;
}
inline BuildStep reset_memory(Partition& partition)
{
    return slice("memory", partition) ? BuildStep::done : BuildStep::more;
}
inline BuildStep build_slice(Partition& partition)
{
    if (build_fails) {
        partition.memory.build.failure = "the kernel's payload is damaged";
        return BuildStep::failed;
    }
    return slice("build", partition) ? BuildStep::done : BuildStep::more;
}
inline void init_grants(Partition&, const StartGrants& grants) { given_grants = grants; }
inline void init_shared_frame(Mfn, DomainId, SharedAccess access) { CHECK(access == SharedAccess::read_only); }
inline void open_static_port(Partition& partition, Port port, Partition& peer, Port peer_port)
{
    calls.push_back("port " + std::to_string(partition.id.raw()) + "." + std::to_string(port.raw()) + " to " +
                    std::to_string(peer.id.raw()) + "." + std::to_string(peer_port.raw()));
}
inline void connect_console(Partition& partition, Mfn) { calls.push_back("connect " + std::to_string(partition.id.raw())); }
inline void disconnect_console(Partition& partition)
{
    calls.push_back("disconnect " + std::to_string(partition.id.raw()));
}
inline Mfn initial_frame(const PvMemory&, Pfn pfn) { return Mfn(0x1000 + pfn.raw()); }
inline void console_append(ConsoleSource&, std::string_view text) { partition_log += text; }

using fake::ms;
inline constexpr uint64_t second = 1000 * ms;

// A box whose CPUs do their loops, the core's work included, as core/run.cpp does.
class LivingBox : public fake::Box {
public:
    void make_stopped(const std::vector<fake::Planned>& planned)
    {
        make(planned);
        fpu_areas_.resize(64);
        size_t next = 0;
        for (Partition& partition : fake::partitions) {
            partition.state = PartitionState::stopped;
            partition.console.source = &source_;
            plan::Partition& plan = this->plan(partition.id.raw() - 1u);
            plan.flags = plan::autostart;
            plan.pv.console_pfn = 7;
            plan.pv.store_pfn = plan::no_pfn;
            for (Vcpu& vcpu : partition.vcpus)
                vcpu.fpu_area = &fpu_areas_[next++];
        }
    }
    void start()
    {
        start_partitions();
        settle();
    }
    // All CPUs, until nothing is left to do at this time.
    void settle()
    {
        const size_t here = fake::current_cpu;
        for (unsigned quiet = 0; quiet < 3; ++quiet) {
            for (size_t cpu = 0; cpu < fake::cpus_in_use; ++cpu) {
                fake::current_cpu = cpu;
                if (loop())
                    quiet = 0;
            }
        }
        fake::current_cpu = here;
    }
    // Time passes in steps, with all CPUs looking at their timers.
    void pass(uint64_t ns, uint64_t step = ms)
    {
        for (const uint64_t end = fake::tsc + ns; fake::tsc < end;) {
            fake::tsc += step;
            for (size_t cpu = 0; cpu < fake::cpus_in_use; ++cpu) {
                if (fake::cpus[cpu].schedule.timer.raw() <= fake::tsc)
                    fake::cpus[cpu].work.fetch_or(work_timer);
            }
            settle();
        }
    }
    PartitionState state(size_t index) { return partition(index).state.load(); }
    bool logged(const char* text)
    {
        for (const std::string& line : fake::log_lines) {
            if (line.find(text) != std::string::npos)
                return true;
        }
        return false;
    }

private:
    // True if something was done.
    bool loop()
    {
        Cpu& cpu = this_cpu();
        bool busy = false;
        for (unsigned turns = 0; turns < 10'000; ++turns) {
            const uint32_t work = cpu.work.exchange(0);
            busy = busy || work != 0;
            if ((work & work_timer) != 0)
                run_timers();
            if ((work & work_lifecycle) != 0)
                lifecycle_work();
            Vcpu* next = pick_next();
            leave(cpu, next);
            if (next != nullptr && next->schedule.core_work) {
                busy = true;
                CHECK_EQUAL(0, next->partition->memory.running_on.load());
                lifecycle_step(*next);
                continue;
            }
            if (next != nullptr && next != cpu.current)
                enter(cpu, *next);
            if (cpu.work.load() == 0)
                return busy;
        }
        FAIL("the CPU does not come to an end");
        return busy;
    }
    void unload(Cpu& cpu)
    {
        cpu.loaded->partition->memory.running_on.fetch_and(~(uint64_t{1} << cpu.number.raw()));
        cpu.loaded = nullptr;
    }
    // A vCPU stays loaded until another is, or its life ends.
    void leave(Cpu& cpu, Vcpu* next)
    {
        if (next != cpu.current && cpu.current != nullptr) {
            Vcpu* former = cpu.current;
            cpu.current = nullptr;
            runstate_switch_out(*former, former->hold.load());
        }
        Vcpu* loaded = cpu.loaded;
        if (loaded == nullptr || loaded == cpu.current || (loaded->hold.load() & hold_stopped) == 0)
            return;
        unload(cpu);
        wake_home(*loaded->partition);
    }
    void enter(Cpu& cpu, Vcpu& next)
    {
        if (cpu.loaded != &next) {
            if (cpu.loaded != nullptr)
                unload(cpu);
            next.partition->memory.running_on.fetch_or(uint64_t{1} << cpu.number.raw());
            cpu.loaded = &next;
        }
        cpu.current = &next;
        runstate_switch_in(next);
    }

    struct alignas(64) FpuArea {
        unsigned char bytes[832];
    };
    std::vector<FpuArea> fpu_areas_;
    ConsoleSource source_;
};

}  // namespace bulkhead
