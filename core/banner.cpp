// SPDX-License-Identifier: BSD-2-Clause
// See banner.hpp. Start-up only.
#include "core/banner.hpp"

#include "core/boot_allocator.hpp"
#include "core/checked.hpp"
#include "core/cpu.hpp"
#include "core/log.hpp"
#include "core/partition.hpp"
#include "core/plan_check.hpp"
#include "machine/fpu.hpp"
#include "platform/x86/features.hpp"
#include "platform/x86/mitigations.hpp"

#include <bulkhead/build_info.hpp>

#include <cstdio>

namespace bulkhead {

namespace {

constexpr size_t sentence_bytes = 320;

unsigned long mebibytes(uint64_t frames) { return static_cast<unsigned long>(frames >> 8); }

uint64_t usable_frames(const BootInfo& info)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < info.memory_map_count; ++i) {
        if (info.memory_map[i].kind == MemoryKind::usable)
            bytes += info.memory_map[i].size_bytes;
    }
    return bytes >> page_shift;
}

void print_cpu_list(const Partition& partition, char* text, size_t bytes)
{
    size_t used = 0;
    text[0] = '\0';
    for (const Vcpu& vcpu : partition.vcpus) {
        const int length = snprintf(text + used, bytes - used, "%s%u", used == 0 ? "" : ",",
                                    unsigned{vcpu.cpu.raw()});
        if (length < 0 || used + static_cast<size_t>(length) >= bytes)
            return;
        used += static_cast<size_t>(length);
    }
}

void print_memory(const Partition& partition)
{
    for (uint32_t i = 0; i < partition.memory.range_count; ++i) {
        const FrameRange& range = partition.memory.ranges[i];
        log("    memory %#014lx to %#014lx, %lu MiB", static_cast<unsigned long>(address_of(range.first).raw()),
            static_cast<unsigned long>(address_of(range.first + range.count).raw() - 1), mebibytes(range.count));
    }
}

void print_partition(const plan::Header& plan, const Partition& partition)
{
    const plan::Partition& planned = *partition.plan;
    if (partition.state.load(std::memory_order_relaxed) == PartitionState::left_out) {
        log("partition %u %s: LEFT OUT: %s", unsigned{partition.id.raw()}, partition.name(), partition.reason);
        return;
    }
    char cpus[96];
    print_cpu_list(partition, cpus, sizeof(cpus));
    log("partition %u %s: %s, %u vCPU%s on CPU %s, priority %u, kernel %s", unsigned{partition.id.raw()},
        partition.name(), type_name(planned.type), unsigned{planned.vcpus}, planned.vcpus == 1 ? "" : "s", cpus,
        unsigned{planned.priority}, plan::text(plan, planned.kernel_path).data());
    print_memory(partition);
}

}  // namespace

void print_hello(const BootInfo& info)
{
    log("Bulkhead " BULKHEAD_VERSION "%s, compiled with GCC " __VERSION__ ", started by %s%s%s", checked_build ? " CHECKED" : "", info.entry_name,
        info.firmware[0] != '\0' ? " from " : "", info.firmware);
    if (info.slot.number < BootSlot::none)
        log("slot %c, version %llu, %s; the other slot: %s", info.slot.number == 0 ? 'A' : 'B',
            static_cast<unsigned long long>(info.slot.version), info.slot.on_trial ? "on trial" : "proved",
            info.slot.other_version != 0 ? "good too" : "nothing to start");
}

void print_machine(const BootInfo& info, const plan::Header& plan)
{
    char sentence[sentence_bytes];
    log("plan: %s (%s)", plan::text(plan, plan.model).data(), plan::text(plan, plan.source).data());
    describe_cpu(features(), sentence, sizeof(sentence));
    log("CPU: %s; %u CPU%s started", sentence, cpu_count(), cpu_count() == 1 ? "" : "s");
    describe_virtualisation(features(), sentence, sizeof(sentence));
    log("virtualisation: %s", sentence);
    if (!machine::packs_fpu_soundly())
        log("XSAVEC: it stores AVX registers where XRSTOR does not look for them; kernels are not offered it");
    describe_leaks(features(), sentence, sizeof(sentence));
    log("side channels: %s", sentence);
    describe_mitigations(features(), sentence, sizeof(sentence));
    log("against them: %s", sentence);
    log("memory: %lu MiB usable%s", mebibytes(usable_frames(info)),
        info.memory_map_truncated ? " (the firmware's map has more ranges than fit; the rest is not used)" : "");
}

void print_partitions(const plan::Header& plan)
{
    for (const Partition& partition : all_partitions())
        print_partition(plan, partition);
    uint64_t rest = 0;
    for (const FrameRange& range : free_memory())
        rest += range.count;
    log("memory: %lu KiB for the core's tables, %lu MiB not used",
        static_cast<unsigned long>(boot_allocated_bytes() >> 10), mebibytes(rest));
}

}  // namespace bulkhead
