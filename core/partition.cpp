// SPDX-License-Identifier: BSD-2-Clause
// The partitions of the plan. Start-up code but for the look-ups.
#include "core/partition.hpp"

#include "core/boot_allocator.hpp"
#include "core/cpu.hpp"
#include "core/hardware.hpp"
#include "core/memory_assignment.hpp"
#include "core/panic.hpp"
#include "core/partition_setup.hpp"
#include "core/plan_check.hpp"
#include "core/pv/vcpu_reset.hpp"
#include "machine/core_space.hpp"
#include "machine/fpu.hpp"
#include "machine/memory.hpp"

#include <array>
#include <cstdio>

namespace bulkhead {

namespace {

constinit std::span<Partition> partitions{};
constinit std::array<Partition*, plan::max_services> services{};     // by domain id
constinit uint16_t next_vcpu_index = 0;

constexpr size_t reason_bytes = 160;

// A sentence that stays for ever. Start-up only.
template <class... Arguments>
const char* reason(const char* format, Arguments... arguments)
{
    auto* text = static_cast<char*>(boot_allocate(reason_bytes, 1));
    snprintf(text, reason_bytes, format, arguments...);
    return text;
}

const char* missing_cpu(const plan::Partition& plan)
{
    for (unsigned i = 0; i < plan.cpu_count; ++i) {
        if (plan.cpus[i] >= cpu_count())
            return reason("it is to run on CPU %u, and this box has CPUs 0 to %u", unsigned{plan.cpus[i]},
                          static_cast<unsigned>(cpu_count() - 1));
    }
    return nullptr;
}

const char* unsupported_type(const plan::Partition& plan)
{
    if (plan.type == plan::PartitionType::pvh)
        return hardware_operations.why_not();
    if (plan.type == plan::PartitionType::hvm)
        return "full PCs (hvm) are not in this version";
    return nullptr;
}

// Whole mebibytes, as people count memory; a rest counts as one more.
unsigned long mebibytes(uint64_t frames) { return static_cast<unsigned long>((frames + 255) >> 8); }

const char* take_fixed_memory(Partition& partition, std::span<const plan::MemoryRange> wanted)
{
    uint64_t frames = 0;
    for (const plan::MemoryRange& range : wanted) {
        const FrameRange piece{frame_of(HostPhysical(range.base)), range.size_bytes >> page_shift};
        if (!take_free_memory(piece))
            return reason("its memory at %#lx (%lu KiB) is not free on this box",
                          static_cast<unsigned long>(range.base),
                          static_cast<unsigned long>(range.size_bytes >> 10));
        partition.memory.ranges[partition.memory.range_count++] = piece;
        frames += piece.count;
    }
    return frames >= partition.plan->max_frames ? nullptr : "its fixed memory is smaller than maxmem";
}

// What the core needs beside a partition's own memory: 24 bytes a frame, and some more.
uint64_t table_frames(uint64_t frames) { return frames_for(frames * 24) + 64; }

const char* take_any_memory(Partition& partition)
{
    const uint64_t frames = partition.plan->max_frames;
    FreeMemory memory(free_memory());
    if (memory.total_frames() >= frames + table_frames(frames))
        partition.memory.range_count = memory.take(frames, partition.memory.ranges);
    if (partition.memory.range_count == 0)
        return reason("it needs %lu MiB of memory, and %lu MiB are left", mebibytes(frames + table_frames(frames)),
                      mebibytes(memory.total_frames()));
    for (uint32_t i = 0; i < partition.memory.range_count; ++i)
        ASSERT(take_free_memory(partition.memory.ranges[i]));
    return nullptr;
}

// Devices know machine addresses only.
const char* check_dma_memory(const Partition& partition)
{
    const plan::Partition& plan = *partition.plan;
    const bool in_a_row = plan.dma_frames == 0 ||
                          initial_run(partition.memory, Pfn(plan.dma_pfn), plan.dma_frames).count == plan.dma_frames;
    return in_a_row ? nullptr : reason("its %lu KiB for devices do not lie in one piece of this box's memory",
                                       static_cast<unsigned long>(plan.dma_frames << (page_shift - 10)));
}

const char* take_memory(const plan::Header& header, Partition& partition)
{
    partition.memory.max_frames = partition.plan->max_frames;
    const auto wanted = plan::table<plan::MemoryRange>(header, partition.plan->ranges);
    const char* missing = wanted.empty() ? take_any_memory(partition) : take_fixed_memory(partition, wanted);
    return missing != nullptr ? missing : check_dma_memory(partition);
}

void make_vcpu(Partition& partition, Vcpu& vcpu, uint16_t number)
{
    const plan::Partition& plan = *partition.plan;
    vcpu.partition = &partition;
    vcpu.number = VcpuNumber(number);
    vcpu.cpu = CpuNumber(plan.cpus[number % plan.cpu_count]);
    vcpu.index = next_vcpu_index++;
    // All of it: what the guest has not filled is not present.
    vcpu.gdt = {0xffff, layout::descriptor_windows + vcpu.index * layout::descriptor_window_size};
    vcpu.info = &partition.shared->vcpu_info[number];
    vcpu.hold.store(hold_down | hold_stopped, std::memory_order_relaxed);
    vcpu.fpu_area = boot_allocate(machine::fpu_area_bytes(), 64);
    reset_pv_state(vcpu);
}

void make_partition(const plan::Header& header, const plan::Partition& plan, Partition& partition)
{
    partition.id = DomainId(plan.domain);
    partition.plan = &plan;
    partition.reason = unsupported_type(plan);
    if (partition.reason == nullptr)
        partition.reason = missing_cpu(plan);
    if (partition.reason == nullptr)
        partition.reason = take_memory(header, partition);
    if (partition.reason != nullptr) {
        partition.memory.range_count = 0;
        partition.memory.max_frames = 0;
        partition.state.store(PartitionState::left_out, std::memory_order_relaxed);
        return;
    }
    partition.state.store(PartitionState::stopped, std::memory_order_relaxed);
    partition.shared_frame = boot_allocate_frame();
    partition.shared = machine::frame_pointer<shared_info_t>(partition.shared_frame);
    partition.vcpus = boot_allocate_array<Vcpu>(plan.vcpus);
    for (uint16_t i = 0; i < plan.vcpus; ++i)
        make_vcpu(partition, partition.vcpus[i], i);
    if (plan.type == plan::PartitionType::pvh)
        hardware_operations.make(partition);
}

// Each vCPU sees the core's descriptors of its own CPU.
void make_all_descriptor_windows()
{
    machine::make_descriptor_windows(next_vcpu_index);
    for (Partition& partition : partitions) {
        for (const Vcpu& vcpu : partition.vcpus)
            *machine::descriptor_window_entry(vcpu.index, machine::window_core_page)
                = machine::window_entry_read_only(cpu_by_number(vcpu.cpu).machine.gdt_frame);
    }
}

}  // namespace

void make_partitions(const plan::Header& header)
{
    const auto planned = plan::table<plan::Partition>(header, header.partitions);
    partitions = boot_allocate_array<Partition>(planned.size());
    for (size_t i = 0; i < planned.size(); ++i) {
        make_partition(header, planned[i], partitions[i]);
        if (planned[i].type == plan::PartitionType::service)
            services[planned[i].domain - plan::first_service_domain] = &partitions[i];
    }
    make_all_descriptor_windows();
}

std::span<Partition> all_partitions() { return partitions; }

Partition* find_partition(DomainId id)
{
    // The plan's order gives the ids of all but services.
    const size_t index = size_t{id.raw()} - 1;
    if (index < partitions.size() && partitions[index].id == id)
        return &partitions[index];
    if (const size_t service = size_t{id.raw()} - plan::first_service_domain; service < services.size())
        return services[service];
    for (Partition& partition : partitions) {
        if (partition.id == id)
            return &partition;
    }
    return nullptr;
}

}  // namespace bulkhead
