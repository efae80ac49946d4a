// SPDX-License-Identifier: BSD-2-Clause
// What the monitor's commands ask of the rest of the core and of the machine, answered by what a
// test puts here. Include it after the headers and before the .cpp files under test.
#pragma once

#include "core/boot_allocator.hpp"
#include "core/console/source.hpp"
#include "core/console/view.hpp"
#include "core/cpu.hpp"
#include "core/events.hpp"
#include "core/frames.hpp"
#include "core/grants.hpp"
#include "core/hypercall_names.hpp"
#include "core/lifecycle.hpp"
#include "core/partition.hpp"
#include "core/schedule.hpp"
#include "core/slot_health.hpp"
#include "core/trace_ring.hpp"
#include "machine/clock.hpp"
#include "machine/memory.hpp"
#include "machine/power.hpp"
#include "machine/this_cpu.hpp"
#include "platform/x86/acpi.hpp"
#include "platform/x86/clock.hpp"
#include "platform/x86/features.hpp"
#include "platform/x86/interrupts.hpp"
#include "platform/x86/pci.hpp"
#include "platform/x86/uart.hpp"

#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace bulkhead {

namespace fake {

inline constexpr size_t most = 4;
inline plan::Partition plans[most];
inline Partition partitions[most];
inline Vcpu vcpus[most][2];
inline ConsoleSource sources[most];
inline char log_memory[most][4096];
inline size_t partition_count;
inline Vcpu* pinned[2][most * 2];

inline const char* refusal;                       // of the life cycle
inline std::string requested;
inline std::map<uint64_t, uint16_t> owners;       // frame to domain
inline std::map<uint32_t, PortInfo> ports;        // of every partition
inline std::map<uint32_t, GrantInfo> grants;
inline std::string turned;                        // what the terminal was turned to
inline AcpiFacts acpi_facts;
inline SlotView slot{};
inline bool slot_can_be_chosen;
inline std::array<PciFunction, 2> pci_devices;
inline size_t pci_count;
inline std::map<int, uint64_t> interrupts;
inline std::vector<TraceRing> trace_rings(2);
inline uint64_t unused_frames;
inline FrameRange unused_range;

struct BoxEnded {
    const char* how;
};

inline void make_world(std::vector<std::string> names)
{
    partition_count = names.size();
    for (size_t i = 0; i < most; ++i) {
        std::destroy_at(&partitions[i]);
        std::construct_at(&partitions[i]);
        std::destroy_at(&sources[i]);
        std::construct_at(&sources[i]);
        plans[i] = {};
    }
    for (size_t i = 0; i < partition_count; ++i) {
        Partition& partition = partitions[i];
        memcpy(plans[i].name.data(), names[i].c_str(), names[i].size() + 1);
        plans[i].type = plan::PartitionType::pv;
        plans[i].priority = 10;
        plans[i].memory_frames = plans[i].max_frames = 65536;
        plans[i].console_port = 1;
        plans[i].on_crash = plans[i].on_reboot = plan::Action::restart;
        partition.plan = &plans[i];
        partition.id = DomainId(static_cast<uint16_t>(i + 1));
        partition.state = PartitionState::running;
        partition.vcpus = {vcpus[i], 2};
        partition.memory.frames = partition.memory.max_frames = 65536;
        partition.memory.ranges[0] = {Mfn(0x10000 * (i + 1)), 65536};
        partition.memory.range_count = 1;
        partition.events.count = 4096;
        partition.health.starts = 1;
        partition.console.source = &sources[i];
        sources[i].log.use(log_memory[i]);
        sources[i].partition = &partition;
        sources[i].name = partition.name();
        for (uint16_t k = 0; k < 2; ++k) {
            Vcpu& vcpu = vcpus[i][k];
            std::destroy_at(&vcpu);
            std::construct_at(&vcpu);
            vcpu.partition = &partition;
            vcpu.number = VcpuNumber(k);
            vcpu.cpu = CpuNumber(k);
            vcpu.initialised = true;
            vcpu.pv.kernel_mode = true;
            vcpu.schedule.priority = 10;
            pinned[k][i] = &vcpu;
        }
    }
    for (size_t k = 0; k < 2; ++k) {
        cpus[k].number = CpuNumber(static_cast<uint16_t>(k));
        cpus[k].current = nullptr;
        cpus[k].schedule.vcpus = pinned[k];
        cpus[k].schedule.vcpu_count = static_cast<uint32_t>(partition_count);
        cpus[k].machine.apic_id = static_cast<uint32_t>(k * 2);
    }
    refusal = nullptr;
    requested.clear();
    turned.clear();
    owners.clear();
    ports.clear();
    grants.clear();
    interrupts.clear();
    acpi_facts = {};
    pci_count = 0;
    for (TraceRing& ring : trace_rings)
        ring.count = 0;
    trace_enabled = false;
    tsc = 12'345'678'901;
}

inline const char* ask(const char* what, Partition& partition)
{
    requested = std::string(what) + " " + partition.name();
    return refusal;
}

}  // namespace fake

inline uint32_t cpu_count() { return 2; }
inline Cpu& cpu_by_number(CpuNumber number) { return fake::cpus[number.raw()]; }
inline std::span<Partition> all_partitions() { return {fake::partitions, fake::partition_count}; }
inline Partition* find_partition(DomainId id)
{
    for (Partition& partition : all_partitions()) {
        if (partition.id == id)
            return &partition;
    }
    return nullptr;
}

inline const char* request_start(Partition& p) { return fake::ask("start", p); }
inline const char* request_stop(Partition& p) { return fake::ask("stop", p); }
inline const char* request_restart(Partition& p) { return fake::ask("restart", p); }
inline const char* bell_name(uint32_t bell) { return bell == 1 ? "process-image" : "?"; }
inline const char* request_kill(Partition& p) { return fake::ask("kill", p); }
inline const char* request_pause(Partition& p) { return fake::ask("pause", p); }
inline const char* request_resume(Partition& p) { return fake::ask("resume", p); }
inline const char* state_name(PartitionState state)
{
    constexpr const char* names[] = {"left out", "stopped", "building", "running", "paused", "shutting down", "crashed"};
    return names[static_cast<size_t>(state)];
}
inline void hold(Vcpu& vcpu, uint32_t reasons) { vcpu.hold |= reasons; }
inline void release(Vcpu& vcpu, uint32_t reasons) { vcpu.hold &= ~reasons; }
inline vcpu_runstate_info_t runstate_of(const Vcpu& vcpu) { return vcpu.time.runstate; }
inline ScheduleCounters schedule_counters(const Vcpu& vcpu)
{
    return {vcpu.time.runstate.time[RUNSTATE_running], vcpu.time.runstate.time[RUNSTATE_runnable], 7, 0, false};
}
inline DomainId frame_owner(Mfn frame)
{
    const auto found = fake::owners.find(frame.raw());
    return DomainId(found == fake::owners.end() ? uint16_t{0} : found->second);
}
inline PortInfo event_port_info(const Partition&, Port port)
{
    const auto found = fake::ports.find(port.raw());
    return found == fake::ports.end() ? PortInfo{} : found->second;
}
inline const char* port_state_name(PortState state)
{
    constexpr const char* names[] = {"closed", "unbound", "interdomain", "virq", "ipi", "core"};
    return names[static_cast<size_t>(state)];
}
inline GrantInfo grant_info(const Partition&, GrantRef ref)
{
    const auto found = fake::grants.find(ref.raw());
    return found == fake::grants.end() ? GrantInfo{} : found->second;
}
inline const char* hypercall_name(uint64_t number) { return number == 17 ? "xen_version" : "other"; }
inline const char* trapped_name(Trapped kind) { return kind == Trapped::cpuid ? "CPUID" : "something"; }
inline std::span<const FrameRange> free_memory() { return {&fake::unused_range, 1}; }
inline uint64_t boot_allocated_bytes() { return 2'097'152; }
inline const AcpiFacts& acpi() { return fake::acpi_facts; }
inline std::span<const PciFunction> pci_functions() { return std::span(fake::pci_devices).first(fake::pci_count); }
inline bool pci_truncated() { return fake::pci_count == 2; }
inline uint64_t interrupt_count(uint8_t vector) { return fake::interrupts[vector]; }
inline const char* uart_description() { return "COM1 (ports from 0x3f8)"; }
inline const char* reference_clock_name() { return "HPET"; }
inline const Features& features()
{
    static const Features none{};
    return none;
}
inline int describe_cpu(const Features&, char* to, size_t bytes) { return snprintf(to, bytes, "A CPU Model"); }
inline int describe_virtualisation(const Features&, char* to, size_t bytes)
{
    return snprintf(to, bytes, "AMD-V with nested paging");
}
inline int describe_leaks(const Features&, char* to, size_t bytes)
{
    return snprintf(to, bytes, "%s",
                    "this CPU leaks: Meltdown, L1TF, MDS, speculative store bypass; what the core does about it is "
                    "said here at some length so that the sentence needs a second line");
}
inline int describe_mitigations(const Features&, char* to, size_t bytes)
{
    return snprintf(to, bytes, "on: retpolines");
}
inline std::span<TraceRing> trace_rings() { return fake::trace_rings; }
inline ConsoleSource& core_source()
{
    static char memory[8192];
    static ConsoleSource source;
    if (source.log.size() == 0)
        source.log.use(memory);
    return source;
}
inline void turn_to_overview(TextOut&) { fake::turned = "overview"; }
inline void turn_to_partition(size_t number, TextOut&) { fake::turned = std::to_string(number); }
inline bool shows_monitor() { return fake::turned.empty(); }

namespace machine {

inline bool can_power_off() { return true; }
[[noreturn]] inline void reboot() { throw fake::BoxEnded{"reboot"}; }
[[noreturn]] inline void power_off() { throw fake::BoxEnded{"poweroff"}; }

}  // namespace machine

inline SlotView slot_view() { return fake::slot; }
inline bool request_slot(uint32_t slot)
{
    fake::slot.requested = slot;
    return fake::slot_can_be_chosen;
}
inline void forget_unjudged_slot() { fake::slot.health = SlotHealth::no_slot; }

}  // namespace bulkhead
