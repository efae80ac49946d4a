// SPDX-License-Identifier: BSD-2-Clause
#include <algorithm>

#include "boot/plan/columns.hpp"
#include "boot/plan/cpu_list.hpp"
#include "boot/plan/map.hpp"
#include "boot/plan/policy_fields.hpp"
#include "boot/plan/services.hpp"
#include "boot/plan/slice.hpp"
#include "boot/plan/text.hpp"
#include "core/types.hpp"
#include "pvdrivers/abi/bulkhead.h"

namespace bulkhead::tool {

namespace {

std::string_view word_for(plan::Action action)
{
    switch (action) {
    case plan::Action::destroy: return "destroy";
    case plan::Action::restart: return "restart";
    case plan::Action::preserve: return "preserve";
    }
    return "?";
}

// A region of start-of-day memory.
struct Region {
    uint64_t pfn;
    uint64_t frames;
    std::string what;
    bool mapped = true;
    uint64_t address = 0;  // 0: virt_base and the frame number say where
};

std::vector<Region> used_regions(const PartitionModel& partition, const LoadedPartition& loaded)
{
    const auto& pv = loaded.layout.start;
    std::vector<Region> regions;
    for (const auto& piece : loaded.kernel->pieces)
        regions.push_back({piece.pfn, piece.frames, sentence("kernel, ", Size{piece.content.size()}, " of content")});
    if (pv.ramdisk_bytes != 0)
        regions.push_back({pv.ramdisk_pfn, frames_for(pv.ramdisk_bytes), sentence(loaded.slice.empty() ? "ramdisk, " : "slice of the plan, ", Size{pv.ramdisk_bytes}),
                           pv.ramdisk_by_pfn == 0});
    const bool hardware = loaded.pages.pages_frames != 0;
    if (hardware) {
        regions.push_back({loaded.pages.pages_pfn, loaded.pages.pages_frames, "start info, ACPI tables"});
    } else {
        regions.push_back({pv.start_info_pfn, 1, "start info"});
        regions.push_back({pv.tables_pfn, pv.tables_frames, "page tables"});
        regions.push_back({pv.stack_pfn, 1, "boot stack"});
        regions.push_back({pv.p2m_pfn, pv.p2m_frames, "physical-to-machine list", true, pv.p2m_base});
    }
    if (pv.p2m_tables_frames != 0)
        regions.push_back({pv.p2m_tables_pfn, pv.p2m_tables_frames, "page tables of that list", false});
    if (pv.store_pfn != plan::no_pfn)
        regions.push_back({pv.store_pfn, 1, "store ring"});
    regions.push_back({pv.console_pfn, 1, "console ring"});
    if (partition.persistent_frames != 0)
        regions.push_back({partition.memory_mib.value * frames_per_mib - partition.persistent_frames,
                           partition.persistent_frames, "persistent region, kept over restarts", false});
    if (partition.dma_frames != 0)
        regions.push_back({first_special_frame(partition), partition.dma_frames, "for devices, in a row in the box's memory",
                           false});
    std::sort(regions.begin(), regions.end(), [](const Region& a, const Region& b) { return a.pfn < b.pfn; });
    return regions;
}

// With what lies between them: free memory, of which the initial mapping covers the beginning.
std::vector<Region> all_regions(const PartitionModel& partition, const LoadedPartition& loaded)
{
    const uint64_t memory_frames = partition.memory_mib.value * frames_per_mib;
    std::vector<Region> regions;
    uint64_t next = 0;
    const auto free_until = [&](uint64_t end) {
        const uint64_t mapped_end = std::clamp(loaded.layout.start.mapped_end_pfn, next, end);
        if (mapped_end != next)
            regions.push_back({next, mapped_end - next, "free"});
        if (end != mapped_end)
            regions.push_back({mapped_end, end - mapped_end, "free", false});
    };
    for (auto& region : used_regions(partition, loaded)) {
        free_until(region.pfn);
        next = region.pfn + region.frames;
        regions.push_back(std::move(region));
    }
    free_until(memory_frames);
    return regions;
}

std::string memory_text(const PartitionModel& partition, const LoadedPartition& loaded)
{
    const auto& pv = loaded.layout.start;
    Columns columns("    ");
    columns.row({"frame", "frames", is_hardware(partition) ? "guest-physical address" : "virtual address", "what"});
    for (const auto& region : all_regions(partition, loaded)) {
        const uint64_t address =
            region.address != 0 ? region.address : pv.virt_base + (region.pfn << page_shift);
        columns.row({sentence(Hex{region.pfn}), std::to_string(region.frames),
                     region.mapped ? sentence(Hex{address}) : "not mapped", region.what});
    }
    return columns.text();
}

std::string time_text(const PartitionModel& partition)
{
    std::string out = sentence("priority ", unsigned{partition.priority.value});
    out += partition.budget_us.value != 0
               ? sentence(", budget ", partition.budget_us.value, " us in each ", partition.period_us.value, " us")
               : ", no budget";
    return out + (partition.realtime.value ? ", realtime" : "");
}

std::string placement_text(const PartitionModel& partition)
{
    std::vector<std::string> pairs;
    for (size_t vcpu = 0; vcpu < partition.placement.size(); ++vcpu)
        pairs.push_back(sentence(vcpu, " on CPU ", unsigned{partition.placement[vcpu]}));
    return list_of(pairs);
}

std::string kernel_text(const PartitionModel& partition, const LoadedPartition& loaded)
{
    const auto& kernel = *loaded.kernel;
    std::string out = sentence(partition.kernel.value, ", ", Size{kernel.file_bytes});
    if (!kernel.version.empty())
        out += ", Linux " + kernel.version.substr(0, kernel.version.find(' '));
    if (kernel.pins_late())
        out += ", may pin page tables late (PREEMPT_RT)";
    return out;
}

std::string ramdisk_text(const PartitionModel& partition, const LoadedPartition& loaded)
{
    if (!loaded.slice.empty())
        return sentence("its slice of the plan, ", Size{loaded.ramdisk_bytes});
    return partition.ramdisk.stated ? sentence(partition.ramdisk.value, ", ", Size{loaded.ramdisk_bytes}) : "none";
}

std::string ports_text(const SystemModel& system, const PartitionModel& partition)
{
    std::vector<std::string> ports{sentence(console_port, " console")};
    if (is_store_client(partition))
        ports.push_back(sentence(store_port, " store, whose end is ", store_remote_port(partition)));
    for (const auto& client : system.partitions)
        if (partition.domain == BULKHEAD_DOMAIN_STORE && is_store_client(client))
            ports.push_back(sentence(store_remote_port(client), ' ', client.name.value));
    return list_of(ports);
}

std::string flags_text(const PartitionModel& partition)
{
    std::vector<std::string> flags;
    flags.emplace_back(partition.autostart.value ? "starts by itself" : "waits for `part NAME start`");
    if (partition.pv_linear_pt.value)
        flags.emplace_back("linear page tables allowed");
    if (partition.apic_by_page.value)
        flags.emplace_back("local APICs in xAPIC mode");
    if (partition.trust.value != 0) {
        std::vector<std::string> leaks;
        for (const auto& [word, bit] : speculation_words)
            if ((partition.trust.value & bit) != 0)
                leaks.emplace_back(word);
        flags.push_back(sentence("trusted with speculation (", list_of(leaks), ')'));
    }
    return list_of(flags);
}

void describe_vifs(const PartitionModel& partition, Columns& columns)
{
    for (const auto& vif : partition.vifs.value) {
        std::string out = sentence("mac ", mac_text(*vif.mac), ", bridge ", vif.bridge);
        if (vif.vlan)
            out += sentence(", vlan ", *vif.vlan);
        if (vif.rate)
            out += sentence(", at most ", vif.rate->bytes_per_second, " bytes/s");
        if (vif.storm)
            out += sentence(", at most ", *vif.storm, " frames/s to all");
        if (vif.isolated)
            out += ", isolated";
        columns.row({"vif", out});
    }
}

void describe_memory(const PartitionModel& partition, Columns& columns)
{
    columns.row({"memory", sentence(partition.memory_mib.value, " MiB, ", partition.memory_mib.value * frames_per_mib,
                                    " frames; owns ", partition.maxmem_mib.value, " MiB")});
    if (!partition.reg.stated)
        columns.row({"placed", "where the core finds room"});
    for (const auto& range : partition.reg.value)
        columns.row({"placed", sentence(Hex{range.base}, " to ", Hex{range.base + range.size_bytes}, ", ",
                                        Size{range.size_bytes})});
}

}  // namespace

std::string partition_text(const SystemModel& system, const PartitionModel& partition, const LoadedPartition& loaded)
{
    const auto& pv = loaded.layout.start;
    Columns columns("  ");
    columns.row({"type", type_word(partition)});
    columns.row({"domain", std::to_string(partition.domain)});
    columns.row({"uuid", uuid_text(partition.uuid.value) + (partition.uuid.stated ? "" : " (derived)")});
    describe_memory(partition, columns);
    columns.row({"vCPUs", placement_text(partition)});
    columns.row({"time", time_text(partition)});
    columns.row({"kernel", kernel_text(partition, loaded)});
    columns.row({"ramdisk", ramdisk_text(partition, loaded)});
    columns.row({"cmdline", partition.cmdline.value});
    columns.row({"entry", sentence(Hex{pv.entry}, ", hypercall page ",
                                   pv.hypercall_page == ~uint64_t{0} ? "none" : sentence(Hex{pv.hypercall_page}))});
    columns.row({"policy", sentence("on_poweroff ", word_for(partition.on_poweroff.value), ", on_reboot ",
                                    word_for(partition.on_reboot.value), ", on_crash ",
                                    word_for(partition.on_crash.value), ", on_watchdog ",
                                    word_for(partition.on_watchdog.value))});
    columns.row({"start", flags_text(partition)});
    columns.row({"ports", ports_text(system, partition)});
    columns.row({"grants", sentence(partition.grant_frames.value, " frames at most; entry 0 console",
                                    is_store_client(partition) ? ", entry 1 store" : "")});
    describe_vifs(partition, columns);
    std::string out = sentence(partition.name.value, '\n', columns.text(), "  memory at its first instruction\n",
                               memory_text(partition, loaded));
    if (!loaded.slice.empty())
        out += "  slice of the plan\n" + slice_text(loaded.slice, "    ").value();
    return out;
}

}  // namespace bulkhead::tool
