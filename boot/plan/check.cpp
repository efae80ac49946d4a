// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/check.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "boot/plan/nearest.hpp"
#include "boot/plan/pci_words.hpp"
#include "boot/plan/text.hpp"

namespace bulkhead::tool {

namespace {

// Words of the monitor and of services, which share one space of names with partitions.
constexpr std::array<std::string_view, 8> reserved{"core", "monitor", "idle", "all",
                                                   "store", "switch", "disk", "machine"};

const Location& place_of(const Location& stated, const PartitionModel& partition)
{
    return stated.file.empty() ? partition.at : stated;
}

void check_names(const SystemModel& system, Report& report)
{
    for (size_t i = 0; i < system.partitions.size(); ++i) {
        const auto& name = system.partitions[i].name;
        if (system.partitions[i].is_service)
            continue;
        if (std::find(reserved.begin(), reserved.end(), name.value) != reserved.end())
            report.error(name.at, sentence("the partition's name ", Quoted{name.value},
                                           " means something else in the monitor; choose another"));
        for (size_t j = 0; j < i; ++j) {
            const auto& other = system.partitions[j].name;
            if (other.value != name.value)
                continue;
            report.error(name.at, sentence("the name ", Quoted{name.value}, " is taken by the partition at ",
                                           to_text(other.at), "; each partition has its own"));
            break;
        }
    }
}

void check_uuids(const SystemModel& system, Report& report)
{
    for (size_t i = 0; i < system.partitions.size(); ++i) {
        const auto& uuid = system.partitions[i].uuid;
        for (size_t j = 0; uuid.stated && j < i; ++j) {
            const auto& other = system.partitions[j].uuid;
            if (!other.stated || other.value != uuid.value)
                continue;
            report.error(uuid.at, sentence("the uuid ", uuid_text(uuid.value), " is taken, at ",
                                           to_text(other.at), "; uuidgen makes a new one"));
            break;
        }
    }
}

struct Card {
    MacAddress mac;
    const Location* at;
};

void check_policies(const Vif& vif, const Location& at, const NetworkModel& network, Report& report)
{
    if (vif.isolated && !has_uplink(network))
        report.warning(at, sentence("vif is isolated on network ", Quoted{network.name},
                                    ", which has no uplink: it could talk to nobody"));
    if (vif.mtu && *vif.mtu > network.mtu.value)
        report.error(at, sentence("vif has an mtu of ", *vif.mtu, " and network ", Quoted{network.name}, " one of ",
                                  network.mtu.value, "; at most that is possible"));
}

// A front end finds its back end by the store.
void check_front_ends(const SystemModel& system, Report& report)
{
    size_t vifs = 0;
    for (const auto& partition : system.partitions) {
        const size_t before = vifs;
        vifs += partition.vifs.value.size();
        if (vifs > plan::max_vifs && before <= plan::max_vifs)
            report.error(partition.vifs.at, sentence("the plan has more than ", plan::max_vifs, " vifs up to ",
                                                     Quoted{partition.name.value}, "; so many are possible together"));
        if (!partition.vifs.value.empty() && !partition.has_store.value)
            report.error(partition.vifs.at, sentence("vif needs the store, and ", Quoted{partition.name.value},
                                                     " has store = \"none\"; leave one of them out"));
    }
}

void check_uplinks(const SystemModel& system, Report& report)
{
    for (size_t i = 0; i < system.devices.size(); ++i) {
        const auto& device = system.devices[i];
        for (size_t j = 0; j < i; ++j) {
            const auto& other = system.devices[j];
            if (parse_pci_address(device.wanted) && device.wanted == other.wanted)
                report.error(device.at, sentence("the card at ", device.wanted, " is the uplink of network ",
                                                 Quoted{other.network}, " already, at ", to_text(other.at),
                                                 "; each network has its own"));
        }
    }
}

void check_vifs(const SystemModel& system, Report& report)
{
    std::vector<std::string_view> networks;
    for (const auto& network : system.networks)
        networks.push_back(network.name);
    std::vector<Card> cards;
    for (const auto& partition : system.partitions) {
        for (const auto& vif : partition.vifs.value) {
            const auto& at = partition.vifs.at;
            const auto twin = std::find_if(cards.begin(), cards.end(),
                                           [&vif](const Card& card) { return card.mac == vif.mac; });
            if (twin != cards.end())
                report.error(at, sentence("the MAC address ", mac_text(*vif.mac), " is taken, at ",
                                          to_text(*twin->at), "; each card has its own"));
            cards.push_back({*vif.mac, &at});
            if (vif.bridge.empty())
                report.error(at, sentence("vif names no bridge, and the plan has ",
                                          Count{networks.size(), "network"},
                                          "; bridge=NAME names one of networks { }"));
            else if (const auto found = std::find(networks.begin(), networks.end(), vif.bridge); found == networks.end())
                report.error(at, sentence("vif names the bridge ", Quoted{vif.bridge}, ", which is not in networks { }; ",
                                          suggestion(vif.bridge, networks, "add it there")));
            else
                check_policies(vif, at, system.networks[static_cast<size_t>(found - networks.begin())], report);
        }
    }
}

void check_memory(const PartitionModel& partition, Report& report)
{
    const auto& memory = partition.memory_mib;
    const auto& maxmem = partition.maxmem_mib;
    if (maxmem.stated && maxmem.value < memory.value)
        report.error(maxmem.at, sentence("maxmem is ", maxmem.value, " MiB, less than memory (", memory.value,
                                         " MiB); at least as much is needed"));
    if (!partition.reg.stated || !memory.stated)
        return;
    uint64_t bytes = 0;
    for (const auto& range : partition.reg.value)
        bytes += range.size_bytes;
    if (bytes != maxmem.value << 20)
        report.error(partition.reg.at,
                     sentence("reg gives ", Size{bytes}, " and ", maxmem.stated ? "maxmem" : "memory", " says ",
                              maxmem.value, " MiB; both are the same"));
}

struct Placed {
    plan::MemoryRange range;
    const PartitionModel* owner;
};

void check_ranges(const SystemModel& system, Report& report)
{
    static constexpr uint64_t first_megabyte = uint64_t{1} << 20;
    std::vector<Placed> placed;
    for (const auto& partition : system.partitions) {
        for (const auto& range : partition.reg.value) {
            const auto end = range.base + range.size_bytes;
            if (range.base < first_megabyte)
                report.error(partition.reg.at, sentence("reg begins at ", Hex{range.base},
                                                        "; the first MiB is the firmware's and the core's"));
            for (const auto& other : placed) {
                if (range.base >= other.range.base + other.range.size_bytes || other.range.base >= end)
                    continue;
                report.error(partition.reg.at,
                             sentence("reg ", Hex{range.base}, " to ", Hex{end}, " overlaps ",
                                      Hex{other.range.base}, " to ", Hex{other.range.base + other.range.size_bytes},
                                      " of ", Quoted{other.owner->name.value}, " (", to_text(other.owner->reg.at),
                                      "); each frame has one owner"));
            }
            placed.push_back({range, &partition});
        }
    }
}

void check_machine_memory(const SystemModel& system, Report& report)
{
    const auto& machine = system.machine.memory_mib;
    uint64_t sum = 0;
    for (const auto& partition : system.partitions)
        sum += partition.maxmem_mib.value;
    if (machine.stated && sum > machine.value)
        report.error(machine.at, sentence("the partitions take ", sum, " MiB, the machine node says ",
                                          machine.value, " MiB; the core needs some as well"));
}

void check_vcpus(const PartitionModel& partition, Report& report)
{
    const auto& most = partition.maxvcpus;
    if (most.stated && most.value != partition.vcpus.value)
        report.error(most.at, sentence("maxvcpus is ", most.value, " and vcpus is ", partition.vcpus.value,
                                       "; all vCPUs exist from the start, so leave maxvcpus out"));
    if (partition.realtime.value && partition.vcpus.value > partition.cpus.value.size() && partition.cpus.stated)
        report.warning(place_of(partition.realtime.at, partition),
                       sentence("realtime partition ", Quoted{partition.name.value}, " has ",
                                Count{partition.vcpus.value, "vCPU"}, " on ",
                                Count{partition.cpus.value.size(), "CPU"}, ": they take turns"));
}

}  // namespace

void check_system(const SystemModel& system, Report& report)
{
    check_names(system, report);
    check_uuids(system, report);
    check_vifs(system, report);
    check_front_ends(system, report);
    check_uplinks(system, report);
    check_ranges(system, report);
    check_machine_memory(system, report);
    for (const auto& partition : system.partitions) {
        check_memory(partition, report);
        check_vcpus(partition, report);
    }
    check_schedule(system, report);
}

}  // namespace bulkhead::tool
