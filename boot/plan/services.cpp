// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/services.hpp"

#include <algorithm>
#include <functional>

#include "boot/plan/text.hpp"
#include "pvdrivers/abi/bulkhead.h"

namespace bulkhead::tool {

namespace {

constexpr std::string_view store_name = "store";
constexpr std::string_view switch_name = "switch";
constexpr uint64_t store_program_mib = 4;     // what its start maps; the rest of its memory is its region
constexpr uint64_t store_region_mib = 2;
constexpr std::string_view machine_name = "machine";
constexpr uint64_t machine_mib = 4;
constexpr size_t most_machines = plan::first_service_domain + plan::max_services - BULKHEAD_DOMAIN_MACHINE;
constexpr uint64_t switch_mib = 4;            // with one uplink, if any
constexpr uint64_t switch_region_frames = 128;
constexpr uint64_t uplink_frames = 256;       // that a card may reach
constexpr uint32_t default_budget_us = 5'000;
constexpr uint8_t most_urgent = 31;

using IsClient = std::function<bool(const PartitionModel&)>;

// The partitions that wait for the service. Services are not, or each would rank above the other.
IsClient clients_of(uint16_t service)
{
    if (service == BULKHEAD_DOMAIN_STORE)
        return [](const PartitionModel& each) { return is_store_client(each) && !each.is_service; };
    if (service == BULKHEAD_DOMAIN_SWITCH)
        return is_switch_client;
    return [service](const PartitionModel& each) { return each.machine_domain == service; };
}

// It has no cyclic table, or one with a window for the service.
bool can_run_on(const SystemModel& system, std::string_view name, uint16_t cpu)
{
    const auto table = std::find_if(system.schedule.begin(), system.schedule.end(),
                                    [cpu](const CpuScheduleModel& each) { return each.cpu == cpu; });
    return table == system.schedule.end() ||
           std::any_of(table->windows.begin(), table->windows.end(),
                       [name](const WindowModel& window) { return window.partition == name; });
}

// The lowest CPU where the service can run at all.
uint8_t default_cpu(const SystemModel& system, std::string_view name)
{
    const uint16_t count = system.machine.cpus.stated ? system.machine.cpus.value : uint16_t{plan::max_cpus};
    for (uint16_t number = 0; number < count; ++number)
        if (can_run_on(system, name, number))
            return static_cast<uint8_t>(number);
    return 0;
}

// One above the most urgent client, and below every realtime partition of the same CPU.
uint8_t default_priority_of(const SystemModel& system, const IsClient& is_client, const std::vector<uint8_t>& cpus)
{
    int priority = 0;
    for (const auto& client : system.partitions)
        if (is_client(client) && !client.realtime.value)
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
        service.priority.value = default_priority_of(system, clients_of(service.domain), service.placement);
    service.period_us = stated.period_us;
    service.budget_us = stated.budget_us;
    if (!stated.budget_us.stated)
        service.budget_us.value = std::min(default_budget_us, service.period_us.value / 2);
}

// program: its file, and its name in the plan's `services`.
PartitionModel make_service(const SystemModel& system, std::string_view program, const std::string& name,
                            uint16_t domain, uint64_t default_mib, uint8_t cpu)
{
    const auto described = std::find_if(system.services.begin(), system.services.end(),
                                        [program](const ServiceModel& each) { return each.name == program; });
    ServiceModel defaults;
    const auto client = std::find_if(system.partitions.begin(), system.partitions.end(), clients_of(domain));
    defaults.at = client != system.partitions.end() ? client->at : system.at;
    const ServiceModel& stated = described != system.services.end() ? *described : defaults;
    PartitionModel service;
    service.at = stated.at;
    service.is_service = true;
    service.name = {name, stated.at, false};
    service.type.value = "service";
    service.domain = domain;
    const uint64_t memory = stated.memory_mib.stated ? stated.memory_mib.value : default_mib;
    service.memory_mib.state(memory, stated.memory_mib.stated ? stated.memory_mib.at : stated.at);
    service.maxmem_mib.value = memory;
    service.cpus = stated.cpus;
    service.placement = {stated.cpus.stated ? stated.cpus.value.front() : cpu};
    service.kernel.state(std::string(program) + ".elf", stated.at);
    service.on_reboot.value = service.on_crash.value = service.on_watchdog.value = plan::Action::restart;
    set_times(service, stated, system);
    return service;
}

PartitionModel make_store(const SystemModel& system)
{
    auto store = make_service(system, store_name, std::string(store_name), BULKHEAD_DOMAIN_STORE,
                              store_program_mib + store_region_mib, default_cpu(system, store_name));
    const uint64_t memory = store.memory_mib.value;
    store.has_store.value = false;
    store.persistent_frames = (memory - std::min(memory, store_program_mib)) * frames_per_mib;
    return store;
}

PartitionModel make_switch(const SystemModel& system)
{
    const uint64_t uplinks = system.devices.size();
    const uint64_t memory = switch_mib + (std::max<uint64_t>(uplinks, 1) - 1) * uplink_frames / frames_per_mib;
    auto service = make_service(system, switch_name, std::string(switch_name), BULKHEAD_DOMAIN_SWITCH, memory,
                                default_cpu(system, switch_name));
    service.persistent_frames = switch_region_frames;
    service.dma_frames = uplinks * uplink_frames;
    return service;
}

// Where its client's first vCPU is, if it can: then the CPU goes from one to the other by itself. A
// partition's name has no colon.
PartitionModel make_machine(const SystemModel& system, const PartitionModel& client)
{
    const std::string name = sentence(machine_name, ':', client.name.value);
    const bool beside = !client.placement.empty() && can_run_on(system, name, client.placement.front());
    auto service = make_service(system, machine_name, name, client.machine_domain, machine_mib,
                                beside ? client.placement.front() : default_cpu(system, name));
    service.has_store.value = false;
    return service;
}

bool has_machine_name(const PartitionModel& client, Report& report)
{
    constexpr size_t longest = plan::name_bytes - 1 - machine_name.size() - 1;
    if (client.name.value.size() <= longest)
        return true;
    report.error(client.apic_by_page.at, sentence("apic is \"xapic\" and the partition's name has ",
                                                  client.name.value.size(), " characters; with that at most ", longest,
                                                  " are possible, since its machine service is named after it"));
    return false;
}

void add_machines(SystemModel& system, std::vector<PartitionModel>& added, Report& report)
{
    size_t count = 0;
    for (auto& client : system.partitions) {
        if (!client.apic_by_page.value || !has_machine_name(client, report))
            continue;
        if (++count > most_machines) {
            report.error(client.apic_by_page.at, sentence("apic is \"xapic\" in more than ", most_machines,
                                                          " partitions; a plan has room for that many machine services"));
            return;
        }
        client.machine_domain = static_cast<uint16_t>(BULKHEAD_DOMAIN_MACHINE + count - 1);
        added.push_back(make_machine(system, client));
    }
}

// A network that nobody is on needs nothing, unless the box itself is to be reached by it.
bool needs_switch(const SystemModel& system)
{
    return std::any_of(system.partitions.begin(), system.partitions.end(), is_switch_client) ||
           std::any_of(system.networks.begin(), system.networks.end(),
                       [](const NetworkModel& network) { return has_host(network) || has_uplink(network); });
}

void warn_of_unused(const SystemModel& system, Report& report)
{
    for (const auto& service : system.services) {
        const bool used = std::any_of(system.partitions.begin(), system.partitions.end(), [&service](const auto& each) {
            return each.is_service && each.kernel.value == service.name + ".elf";
        });
        if (!used && service.name == machine_name)
            report.warning(service.at, "no partition has apic = \"xapic\"; the service is left out");
        if (!used && service.name == store_name)
            report.warning(service.at, "no partition has a store; the service is left out");
        if (!used && service.name == switch_name)
            report.warning(service.at, "no partition has a vif and no network an address or uplink; the service is left out");
    }
}

std::vector<std::string> clients_above(const SystemModel& system, const PartitionModel& service)
{
    std::vector<std::string> above;
    const auto is_client = clients_of(service.domain);
    for (const auto& client : system.partitions)
        if (is_client(client) && !client.realtime.value && client.priority.value > service.priority.value)
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
    if (service.domain == BULKHEAD_DOMAIN_STORE && service.memory_mib.value <= store_program_mib)
        report.error(service.memory_mib.at, sentence("memory is ", service.memory_mib.value, " MiB, too little for ",
                                                     Quoted{service.name.value}, "; at least ", store_program_mib + 1,
                                                     " MiB are needed"));
    if (service.cpus.value.size() > 1)
        report.error(service.cpus.at, sentence("cpus names ", service.cpus.value.size(), " CPUs; service ",
                                               Quoted{service.name.value}, " has one vCPU"));
}

}  // namespace

bool is_store_client(const PartitionModel& partition) { return partition.has_store.value; }

bool is_switch_client(const PartitionModel& partition) { return !partition.vifs.value.empty(); }

bool is_switch(const PartitionModel& partition) { return partition.domain == BULKHEAD_DOMAIN_SWITCH; }

bool is_machine(const PartitionModel& partition) { return partition.domain >= BULKHEAD_DOMAIN_MACHINE; }

// Services come behind the partitions that a plan can have.
uint32_t store_remote_port(const PartitionModel& client)
{
    if (client.is_service)
        return first_client_port + plan::max_partitions + (client.domain - plan::first_service_domain);
    return first_client_port + client.domain - 1U;
}

uint8_t services_of(const PartitionModel& partition)
{
    const auto bit = [](uint16_t domain) { return 1U << (domain - plan::first_service_domain); };
    return static_cast<uint8_t>((is_store_client(partition) ? bit(BULKHEAD_DOMAIN_STORE) : 0) |
                                (is_switch_client(partition) ? bit(BULKHEAD_DOMAIN_SWITCH) : 0) |
                                (partition.machine_domain != 0 ? bit(partition.machine_domain) : 0));
}

void add_services(SystemModel& system, Report& report)
{
    std::vector<PartitionModel> added;
    const bool has_switch = needs_switch(system);
    const bool has_store = has_switch || std::any_of(system.partitions.begin(), system.partitions.end(), is_store_client);
    if (has_store)
        added.push_back(make_store(system));
    if (has_switch)
        added.push_back(make_switch(system));
    add_machines(system, added, report);
    system.partitions.insert(system.partitions.end(), added.begin(), added.end());
    warn_of_unused(system, report);
}

void check_services(const SystemModel& system, Report& report)
{
    for (const auto& partition : system.partitions)
        if (partition.is_service)
            check_service(system, partition, report);
}

}  // namespace bulkhead::tool
