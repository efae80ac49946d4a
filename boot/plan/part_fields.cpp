// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/part_fields.hpp"

#include "boot/plan/readers.hpp"

namespace bulkhead::tool {

namespace {

constexpr uint32_t shortest_window_us = 100;
constexpr uint64_t longest_frame_us = 10'000'000;
constexpr uint64_t most_machine_memory_mib = 16 * 1024 * 1024;

constexpr std::array machine_fields{
    Field<MachineModel>{"cpus", read_number<&MachineModel::cpus, 1, plan::max_cpus>},
    Field<MachineModel>{"memory", read_number<&MachineModel::memory_mib, 1, most_machine_memory_mib>},
};

constexpr std::array<std::string_view, 4> service_names{"store", "switch", "disk", "machine"};

Outcome<void> read_later(const Property&, ServiceModel&, Report&) { return {}; }

constexpr std::array service_fields{
    Field<ServiceModel>{"cpus", read_later},
    Field<ServiceModel>{"priority", read_number<&ServiceModel::priority, 0, 31>},
    Field<ServiceModel>{"budget", read_number<&ServiceModel::budget_us, 50, longest_frame_us>},
    Field<ServiceModel>{"period", read_number<&ServiceModel::period_us, 100, longest_frame_us>},
    Field<ServiceModel>{"memory", read_number<&ServiceModel::memory_mib, 1, 1024>},
};

// "gateway 5000": a partition's name and microseconds.
Outcome<WindowModel> parse_window(std::string_view words)
{
    const auto trimmed = trim(words);
    const size_t space = trimmed.find_first_of(" \t");
    const auto length = space == std::string_view::npos ? Outcome<uint64_t>(Refusal{})
                                                        : parse_number(trim(trimmed.substr(space)));
    if (!length)
        return refuse("has ", Quoted{trimmed}, "; a partition's name (or idle) and microseconds, such as ",
                      "\"gateway 5000\", are expected");
    if (*length < shortest_window_us || *length > longest_frame_us)
        return refuse("has a window of ", *length, " us; ", shortest_window_us, " to ", longest_frame_us,
                      " are possible");
    return WindowModel{std::string(trimmed.substr(0, space)), static_cast<uint32_t>(*length)};
}

Outcome<CpuScheduleModel> parse_cpu_schedule(const Property& property, CpuBound bound)
{
    const std::string name = property.name.substr(3);
    const auto cpu = ATTEMPT(parse_cpu_list(name, bound));
    if (cpu.size() != 1)
        return refuse("names several CPUs; each CPU has its own table");
    CpuScheduleModel table{property.at, cpu.front(), {}};
    const auto windows = ATTEMPT(texts(property.value));
    for (const auto& words : windows)
        table.windows.push_back(ATTEMPT(parse_window(words)));
    return table;
}

}  // namespace

void read_machine(const Node& node, MachineModel& machine, Report& report)
{
    read_fields<MachineModel>(node, "machine", machine_fields, {}, machine, report);
    check_children(node, "machine", {}, report);
}

std::vector<ServiceModel> read_services(const Node& node, CpuBound cpus, Report& report)
{
    std::vector<ServiceModel> services;
    read_fields<std::vector<ServiceModel>>(node, "services", {}, {}, services, report);
    check_children(node, "services", service_names, report);
    for (const auto& child : node.children) {
        if (std::find(service_names.begin(), service_names.end(), child.name) == service_names.end())
            continue;
        ServiceModel service;
        service.at = child.at;
        service.name = child.name;
        const auto what = sentence("service ", Quoted{child.name});
        read_fields<ServiceModel>(child, what, service_fields, {}, service, report);
        check_children(child, what, {}, report);
        if (const Property* property = child.property("cpus")) {
            auto list = parse_cpus(property->value, cpus);
            if (list)
                service.cpus.state(std::move(*list), property->at);
            else
                report.error(property->at, sentence("cpus ", list.error()));
        }
        services.push_back(std::move(service));
    }
    return services;
}

void read_schedule(const Node& node, CpuBound cpus, SystemModel& system, Report& report)
{
    check_children(node, "schedule", {}, report);
    for (const auto& property : node.properties) {
        if (property.name == "major-frame") {
            const auto done = read_number<&SystemModel::major_frame_us, shortest_window_us, longest_frame_us>(
                property, system, report);
            if (!done)
                report.error(property.at, sentence("major-frame ", done.error()));
        } else if (property.name.size() > 3 && property.name.starts_with("cpu")) {
            auto table = parse_cpu_schedule(property, cpus);
            if (table)
                system.schedule.push_back(std::move(*table));
            else
                report.error(property.at, sentence(property.name, ' ', table.error()));
        } else if (!belongs_to_device_tree(property.name)) {
            report.error(property.at, sentence("unknown property ", Quoted{property.name},
                                               " in schedule; cpu0, cpu1 and so on, and major-frame are known"));
        }
    }
}

}  // namespace bulkhead::tool
