// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/services.hpp"

#include <algorithm>

#include "boot/plan/text.hpp"
#include "pvdrivers/abi/bulkhead.h"

namespace bulkhead::tool {

namespace {

constexpr std::string_view store_name = "store";
constexpr uint64_t store_program_mib = 4;     // what its start maps; the rest of its memory is its region
constexpr uint64_t store_region_mib = 2;
constexpr uint32_t default_budget_us = 5'000;
constexpr uint8_t most_urgent = 31;

// The lowest CPU; with cyclic tables the lowest where the service can run at all.
uint8_t default_cpu(const SystemModel& system, std::string_view name)
{
    const uint16_t count = system.machine.cpus.stated ? system.machine.cpus.value : uint16_t{plan::max_cpus};
    for (uint16_t number = 0; number < count; ++number) {
        const auto table = std::find_if(system.schedule.begin(), system.schedule.end(),
                                        [number](const CpuScheduleModel& each) { return each.cpu == number; });
        if (table == system.schedule.end() ||
            std::any_of(table->windows.begin(), table->windows.end(),
                        [name](const WindowModel& window) { return window.partition == name; }))
            return static_cast<uint8_t>(number);
    }
    return 0;
}

// One above the most urgent client, and below every realtime partition of the same CPU.
uint8_t default_priority_of(const SystemModel& system, const std::vector<uint8_t>& cpus)
{
    int priority = 0;
    for (const auto& client : system.partitions)
        if (is_store_client(client) && !client.realtime.value)
            priority = std::max<int>(priority, client.priority.value + 1);
    if (priority == 0)
        priority = default_priority;
    for (const auto& other : system.partitions)
        if (other.realtime.value && runs_on(other, cpus.front()))
            priority = std::min<int>(priority, other.priority.value - 1);
    return static_cast<uint8_t>(std::clamp<int>(priority, 0, most_urgent));
}

void set_times(PartitionModel& service, const ServiceModel& stated, const SystemModel& system)
{
    service.priority = stated.priority;
    if (!stated.priority.stated)
        service.priority.value = default_priority_of(system, service.placement);
    service.period_us = stated.period_us;
    service.budget_us = stated.budget_us;
    if (!stated.budget_us.stated)
        service.budget_us.value = std::min(default_budget_us, service.period_us.value / 2);
}

PartitionModel make_store(const SystemModel& system, const ServiceModel& stated)
{
    PartitionModel store;
    store.at = stated.at;
    store.is_service = true;
    store.name = {std::string(store_name), stated.at, false};
    store.type.value = "service";
    store.domain = BULKHEAD_DOMAIN_STORE;
    store.has_store.value = false;
    const uint64_t memory = stated.memory_mib.stated ? stated.memory_mib.value : store_program_mib + store_region_mib;
    store.memory_mib.state(memory, stated.memory_mib.stated ? stated.memory_mib.at : stated.at);
    store.maxmem_mib.value = memory;
    store.persistent_frames = (memory - std::min(memory, store_program_mib)) * frames_per_mib;
    store.cpus = stated.cpus;
    store.placement = {stated.cpus.stated ? stated.cpus.value.front() : default_cpu(system, store_name)};
    store.kernel.state("store.elf", stated.at);
    store.on_reboot.value = store.on_crash.value = store.on_watchdog.value = plan::Action::restart;
    set_times(store, stated, system);
    return store;
}

std::vector<std::string> clients_above(const SystemModel& system, const PartitionModel& service)
{
    std::vector<std::string> above;
    for (const auto& client : system.partitions)
        if (is_store_client(client) && !client.realtime.value && client.priority.value > service.priority.value)
            above.push_back(sentence(Quoted{client.name.value}, " (priority ", unsigned{client.priority.value}, ')'));
    return above;
}

void check_service(const SystemModel& system, const PartitionModel& service, Report& report)
{
    const auto& at = service.priority.stated ? service.priority.at : service.at;
    const unsigned priority = service.priority.value;
    for (const auto& partition : system.partitions) {
        const unsigned other = partition.priority.value;
        if (partition.realtime.value && other <= priority && runs_on(partition, service.placement.front()))
            report.warning(at, sentence("service ", Quoted{service.name.value}, " (priority ", priority,
                                        ") can make the realtime partition ", Quoted{partition.name.value},
                                        " (priority ", other, ") wait; a priority below ", other, " does not"));
    }
    if (const auto above = clients_above(system, service); !above.empty())
        report.warning(at, sentence("service ", Quoted{service.name.value}, " (priority ", priority,
                                    ") ranks below its clients: ", list_of(above),
                                    " may wait for it in vain; a priority above theirs is right"));
    if (service.memory_mib.value <= store_program_mib)
        report.error(service.memory_mib.at, sentence("memory is ", service.memory_mib.value, " MiB, too little for ",
                                                     Quoted{service.name.value}, "; at least ", store_program_mib + 1,
                                                     " MiB are needed"));
    if (service.cpus.value.size() > 1)
        report.error(service.cpus.at, sentence("cpus names ", service.cpus.value.size(), " CPUs; service ",
                                               Quoted{service.name.value}, " has one vCPU"));
}

}  // namespace

bool is_store_client(const PartitionModel& partition)
{
    return !partition.is_service && partition.has_store.value;
}

uint32_t store_remote_port(const PartitionModel& client) { return first_client_port + client.domain - 1U; }

void add_services(SystemModel& system, Report& report)
{
    const auto client = std::find_if(system.partitions.begin(), system.partitions.end(), is_store_client);
    const auto stated = std::find_if(system.services.begin(), system.services.end(),
                                     [](const ServiceModel& service) { return service.name == store_name; });
    if (client == system.partitions.end()) {
        if (stated != system.services.end())
            report.warning(stated->at, "no partition has a store; the service is left out");
        return;
    }
    ServiceModel defaults;
    defaults.at = client->at;
    system.partitions.push_back(make_store(system, stated != system.services.end() ? *stated : defaults));
}

void check_services(const SystemModel& system, Report& report)
{
    for (const auto& partition : system.partitions)
        if (partition.is_service)
            check_service(system, partition, report);
}

}  // namespace bulkhead::tool
