// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/resolve.hpp"

#include <algorithm>

#include "boot/plan/hash.hpp"
#include "boot/plan/services.hpp"
#include "boot/plan/shared_memory.hpp"
#include "boot/plan/text.hpp"

namespace bulkhead::tool {

namespace {

Sha256 hash_of(std::string_view text)
{
    return sha256({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

// Version 8 of RFC 9562: made by rules of one's own, here from the names of plan and partition.
Uuid derived_uuid(const SystemModel& system, const PartitionModel& partition)
{
    const auto hash = hash_of("bulkhead partition\n" + system.model.value + '\n' + partition.name.value);
    Uuid uuid{};
    std::copy_n(hash.begin(), uuid.size(), uuid.begin());
    uuid[6] = static_cast<uint8_t>((uuid[6] & 0x0f) | 0x80);
    uuid[8] = static_cast<uint8_t>((uuid[8] & 0x3f) | 0x80);
    return uuid;
}

// In the range that Xen's vendor prefix leaves to its users.
MacAddress derived_mac(const PartitionModel& partition, size_t card)
{
    const auto hash = hash_of("bulkhead vif\n" + uuid_text(partition.uuid.value) + '\n' + std::to_string(card));
    return {0x00, 0x16, 0x3e, static_cast<uint8_t>(hash[0] & 0x7f), hash[1], hash[2]};
}

// vCPU i runs on the (i mod n)-th CPU; without cpus on CPU i, as far as the machine is known.
std::vector<uint8_t> placement_of(const PartitionModel& partition, const MachineModel& machine)
{
    std::vector<uint8_t> cpus = partition.cpus.value;
    if (!partition.cpus.stated && !partition.cpus.at.file.empty())
        return {};  // a cpus that was refused; nothing follows from it
    if (cpus.empty()) {
        const uint16_t count = machine.cpus.stated ? machine.cpus.value : uint16_t{plan::max_cpus};
        for (uint16_t cpu = 0; cpu < count; ++cpu)
            cpus.push_back(static_cast<uint8_t>(cpu));
    }
    std::vector<uint8_t> placement;
    for (size_t vcpu = 0; vcpu < partition.vcpus.value; ++vcpu)
        placement.push_back(cpus[vcpu % cpus.size()]);
    return placement;
}

// root and extra make the command line, as in xl; cmdline takes the place of both.
void resolve_cmdline(PartitionModel& partition, Report& report)
{
    if (!partition.root.stated && !partition.extra.stated)
        return;
    const auto& at = partition.root.stated ? partition.root.at : partition.extra.at;
    if (partition.cmdline.stated) {
        report.warning(at, "root and extra have no effect beside cmdline; write one or the other");
        return;
    }
    std::string line = partition.root.stated ? "root=" + partition.root.value : "";
    if (partition.extra.stated)
        line += (line.empty() ? "" : " ") + partition.extra.value;
    if (line.size() > longest_cmdline)
        report.error(at, sentence("root and extra make a command line of ", line.size(),
                                  " characters; start info has room for ", longest_cmdline));
    partition.cmdline.state(std::move(line), at);
}

void resolve_vifs(PartitionModel& partition, const SystemModel& system)
{
    for (size_t card = 0; card < partition.vifs.value.size(); ++card) {
        auto& vif = partition.vifs.value[card];
        if (vif.bridge.empty() && system.networks.size() == 1)
            vif.bridge = system.networks.front().name;
        if (!vif.mac)
            vif.mac = derived_mac(partition, card);
    }
}

// Each uplink takes a card of its own; which one, the box decides.
void resolve_networks(SystemModel& system)
{
    for (auto& network : system.networks) {
        const auto hash = hash_of("bulkhead network\n" + system.model.value + '\n' + network.name);
        network.mac = {0x00, 0x16, 0x3e, static_cast<uint8_t>(hash[0] & 0x7f), hash[1], hash[2]};
        if (!has_uplink(network))
            continue;
        network.device = system.devices.size();
        system.devices.push_back({network.uplink.at, network.uplink.value, network.name});
    }
}

}  // namespace

std::string uuid_text(const Uuid& uuid)
{
    auto out = hex_text(uuid);
    for (const size_t dash : {20U, 16U, 12U, 8U})
        out.insert(dash, 1, '-');
    return out;
}

void resolve(SystemModel& system, Report& report)
{
    for (auto& partition : system.partitions) {
        if (!partition.maxmem_mib.stated)
            partition.maxmem_mib.value = partition.memory_mib.value;
        if (!partition.uuid.stated)
            partition.uuid.value = derived_uuid(system, partition);
        partition.placement = placement_of(partition, system.machine);
        resolve_cmdline(partition, report);
        resolve_vifs(partition, system);
        partition.domain = static_cast<uint16_t>(&partition - system.partitions.data() + 1);
    }
    resolve_networks(system);
    resolve_shared_memory(system, report);
    const size_t planned = system.partitions.size();
    add_services(system, report);
    for (size_t i = planned; i < system.partitions.size(); ++i)
        system.partitions[i].uuid.value = derived_uuid(system, system.partitions[i]);
}

}  // namespace bulkhead::tool
