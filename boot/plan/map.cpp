// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/map.hpp"

#include <algorithm>
#include <elf.h>

#include "boot/plan/columns.hpp"
#include "boot/plan/cpu_list.hpp"
#include "boot/plan/hash.hpp"
#include "boot/plan/text.hpp"
#include "core/plan_check.hpp"

namespace bulkhead::tool {

namespace {

// Memory outside partitions that the core may take besides the image: the bound of its design.
constexpr uint64_t core_fixed_bytes = uint64_t{8} << 20;
uint64_t core_bytes_for(uint64_t partition_bytes) { return core_fixed_bytes + partition_bytes / 1000 * 6; }

plan::Header header_of(const MapInput& input) { return *read_at<plan::Header>(input.compiled, 0); }

uint64_t owned_mib(const SystemModel& system)
{
    uint64_t sum = 0;
    for (const auto& partition : system.partitions)
        sum += partition.maxmem_mib.value;
    return sum;
}

std::string permissions(uint32_t flags)
{
    return {(flags & PF_R) != 0 ? 'r' : '-', (flags & PF_W) != 0 ? 'w' : '-', (flags & PF_X) != 0 ? 'x' : '-'};
}

std::string image_text(const MapInput& input)
{
    Columns columns("  ");
    columns.row({"from", "to", "size", "access", "what"});
    for (const auto& segment : input.core.elf.segments)
        if (segment.type == PT_LOAD && segment.memory_bytes != 0)
            columns.row({sentence(Hex{segment.physical_address}),
                         sentence(Hex{segment.physical_address + segment.memory_bytes}),
                         sentence(Size{segment.memory_bytes}), permissions(segment.flags), "core"});
    const uint64_t plan_start = input.core.plan_physical;
    const auto header = header_of(input);
    columns.row({sentence(Hex{plan_start}), sentence(Hex{plan_start + header.tables_bytes}),
                 sentence(Size{header.tables_bytes}), "r--",
                 sentence("plan, ", Count{header.symbols.count, "symbol"}, " of the core")});
    columns.row({sentence(Hex{plan_start + header.tables_bytes}), sentence(Hex{plan_start + header.total_bytes}),
                 sentence(Size{header.total_bytes - header.tables_bytes}), "r--",
                 sentence(Count{input.payloads.size(), "payload"})});
    return "Image, by physical address\n" + columns.text();
}

std::string payloads_text(const MapInput& input)
{
    const auto header = header_of(input);
    Columns columns("  ");
    columns.row({"at", "unpacked", "stored", "as", "sha256", "used by"});
    for (size_t i = 0; i < input.payloads.size(); ++i) {
        const auto& payload = input.payloads[i];
        const auto record = *read_at<plan::Payload>(input.compiled, header.payloads.offset + i * sizeof(plan::Payload));
        columns.row({sentence(Hex{input.core.plan_physical + record.offset}), sentence(Size{payload.size_bytes}),
                     sentence(Size{record.stored_bytes}), payload.encoding == plan::Encoding::lz4 ? "lz4" : "raw",
                     hex_text(payload.hash).substr(0, 16), list_of(payload.users)});
    }
    return "Payloads, each stored once\n" + columns.text();
}

// Which vCPUs share a CPU, most urgent first, and its cyclic table.
std::string schedule_text(const SystemModel& system)
{
    Columns columns("  ");
    for (unsigned cpu = 0; cpu < plan::max_cpus; ++cpu) {
        std::vector<std::string> residents;
        for (int priority = 31; priority >= 0; --priority)
            for (const auto& partition : system.partitions)
                for (size_t vcpu = 0; vcpu < partition.placement.size(); ++vcpu)
                    if (partition.placement[vcpu] == cpu && partition.priority.value == priority)
                        residents.push_back(sentence(partition.name.value, '.', vcpu, " (", priority, ")"));
        std::vector<std::string> windows;
        for (const auto& table : system.schedule)
            if (table.cpu == cpu)
                for (const auto& window : table.windows)
                    windows.push_back(sentence(window.partition, ' ', window.length_us, " us"));
        if (!residents.empty() || !windows.empty())
            columns.row({sentence("CPU ", cpu), list_of(residents)});
        if (!windows.empty())
            columns.row({"", "windows: " + list_of(windows)});
    }
    return "CPUs, with vCPU and priority\n" + columns.text();
}

std::string network_text(const NetworkModel& network)
{
    std::vector<std::string> words{network.address.stated ? "address " + network.address.value : "no address"};
    if (network.gateway.stated)
        words.push_back("gateway " + network.gateway.value);
    if (network.ipv6.stated)
        words.push_back("IPv6 " + network.ipv6.value);
    if (has_host(network)) {
        words.push_back(sentence("host ", network.host_name.value, ", mac ", mac_text(network.mac)));
        words.push_back(network.http.value == 0 ? "no status page" : sentence("status page on port ", network.http.value));
    }
    if (network.diagnosis_port.stated)
        words.push_back(sentence("diagnosis on port ", network.diagnosis_port.value, " for ",
                                 list_of(network.diagnosis_from.value)));
    words.push_back(sentence("mtu ", network.mtu.value));
    words.push_back("uplink " + network.uplink.value);
    std::string out;
    for (const auto& word : words)
        out += (out.empty() ? "" : ", ") + word;
    return out;
}

std::string networks_text(const SystemModel& system)
{
    if (system.networks.empty())
        return {};
    Columns columns("  ");
    for (const auto& network : system.networks)
        columns.row({network.name, network_text(network)});
    return "Networks\n" + columns.text() + '\n';
}

std::string shared_memory_text(const SystemModel& system)
{
    if (system.shared_memory.empty())
        return {};
    Columns columns("  ");
    columns.row({"name", "size", "grants", "port", "members"});
    for (const auto& region : system.shared_memory) {
        std::vector<std::string> members;
        for (const auto& member : region.members)
            members.push_back(system.partitions[member.partition].name.value + (member.writable ? " writes" : " reads"));
        columns.row({region.name, sentence(Size{region.size_bytes.value}),
                     sentence(region.first_grant, " to ", region.first_grant + region.frames - 1),
                     std::to_string(region.port), list_of(members)});
    }
    return "Shared memory, domain 0's grants and ports\n" + columns.text() + '\n';
}

std::string totals_text(const MapInput& input)
{
    const uint64_t partitions = owned_mib(input.system) << 20;
    const uint64_t image = input.core.plan_physical + input.compiled.size() - input.core.physical_start;
    const uint64_t core = core_bytes_for(partitions);
    Columns columns("  ");
    columns.row({"partitions", sentence(Size{partitions})});
    columns.row({"image in memory", sentence(Size{image})});
    columns.row({"core's tables", sentence("at most ", Size{core}, " (8 MiB and 0.6 % of the partitions' memory)")});
    columns.row({"together", sentence("about ", Size{partitions + image + core})});
    columns.row({"file", sentence("bulkhead.elf, ", Size{input.image_bytes})});
    return "Totals\n" + columns.text();
}

std::string console_text(const SystemModel& system)
{
    return sentence("console ", system.baud.value, " baud 8n1, escape Ctrl-", static_cast<char>(system.escape.value + '@'),
                    "; after a panic the box ", system.panic_reboots.value ? "reboots" : "halts");
}

}  // namespace

std::string map_text(const MapInput& input)
{
    const auto& system = input.system;
    std::string out = sentence(system.model.value, " (", system.file, ")\n", console_text(system), "\n\n");
    out += image_text(input) + '\n' + payloads_text(input) + '\n' + schedule_text(system) + '\n' +
           networks_text(system) + shared_memory_text(system);
    for (size_t i = 0; i < system.partitions.size(); ++i)
        out += (system.partitions[i].is_service ? "Service " : "Partition ") +
               partition_text(system, system.partitions[i], input.loaded[i]) + '\n';
    return out + totals_text(input);
}

std::string summary_text(const MapInput& input)
{
    const auto& system = input.system;
    const auto services = static_cast<size_t>(std::count_if(system.partitions.begin(), system.partitions.end(),
                                                            [](const auto& each) { return each.is_service; }));
    std::string out = sentence(system.model.value, ": ", Count{system.partitions.size() - services, "partition"},
                               services == 0 ? "" : sentence(" and ", Count{services, "service"}), ", ",
                               Size{owned_mib(system) << 20}, " of memory, image ", Size{input.image_bytes}, '\n');
    Columns columns("  ");
    for (size_t i = 0; i < system.partitions.size(); ++i) {
        const auto& partition = system.partitions[i];
        auto cpus = partition.placement;
        columns.row({partition.name.value, type_word(partition), sentence(partition.memory_mib.value, " MiB"),
                     sentence(Count{partition.placement.size(), "vCPU"}, " on CPU ", cpu_list_text(cpus)),
                     sentence(partition.kernel.value,
                              partition.ramdisk.stated ? " with " + partition.ramdisk.value : "")});
    }
    return out + columns.text();
}

}  // namespace bulkhead::tool
