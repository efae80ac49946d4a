// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/system_fields.hpp"

#include <filesystem>

#include "boot/plan/part_fields.hpp"
#include "boot/plan/partition_fields.hpp"
#include "boot/plan/readers.hpp"
#include "boot/plan/shared_memory.hpp"

namespace bulkhead::tool {

namespace {

using S = SystemModel;
constexpr std::string_view plan_compatible = "bulkhead,plan";
constexpr size_t longest_model = 63;
constexpr size_t most_partitions = plan::max_partitions - plan::max_services;

Outcome<void> read_compatible(const Property& property, S& target, Report&)
{
    const auto all = ATTEMPT(texts(property.value));
    if (std::find(all.begin(), all.end(), plan_compatible) == all.end())
        return refuse("is ", Quoted{all.front()}, "; ", Quoted{plan_compatible}, " marks a plan");
    target.compatible.state(all.front(), property.at);
    return {};
}

Outcome<void> read_model(const Property& property, S& target, Report&)
{
    auto words = ATTEMPT(text(property.value));
    if (words.size() > longest_model || trim(words).empty())
        return refuse("has ", words.size(), " characters; 1 to ", longest_model, " are possible");
    target.model.state(std::move(words), property.at);
    return {};
}

// "^]", "Ctrl-]" or <0x1d>. Keys that a shell or an editor cannot do without are refused.
Outcome<void> read_escape(const Property& property, S& target, Report&)
{
    uint64_t code = 0;
    if (is_text(property.value)) {
        auto words = ATTEMPT(text(property.value));
        std::string_view key = words;
        for (const std::string_view prefix : {"^", "Ctrl-", "ctrl-", "C-", "Ctrl+", "ctrl+"})
            if (key.size() == prefix.size() + 1 && key.starts_with(prefix))
                code = static_cast<uint64_t>(key.back()) & 0x1f;
        if (code == 0)
            return refuse("is ", Quoted{key}, "; such as \"Ctrl-]\", \"^]\" or <0x1d> is expected");
    } else {
        code = ATTEMPT(number(property.value, 1, 31));
    }
    for (const uint64_t needed : {0x08U, 0x09U, 0x0aU, 0x0dU, 0x1bU})
        if (code == needed)
            return refuse("is a key that terminals need (backspace, tab, return or escape); ",
                          "such as \"Ctrl-]\" is expected");
    target.escape.state(static_cast<uint8_t>(code), property.at);
    return {};
}

Outcome<void> read_on_panic(const Property& property, S& target, Report&)
{
    static constexpr std::array<std::string_view, 2> words{"reboot", "halt"};
    const auto word = ATTEMPT(text(property.value));
    if (word != words[0] && word != words[1])
        return refuse("is ", Quoted{word}, "; ", suggestion(word, words, "\"reboot\" or \"halt\" is expected"));
    target.panic_reboots.state(word == "reboot", property.at);
    return {};
}

Outcome<void> read_payloads(const Property& property, S& target, Report&)
{
    static constexpr std::array<std::string_view, 2> words{"lz4", "plain"};
    const auto word = ATTEMPT(text(property.value));
    if (word != words[0] && word != words[1])
        return refuse("is ", Quoted{word}, "; ", suggestion(word, words, "\"lz4\" or \"plain\" is expected"));
    target.packs_payloads.state(word == "lz4", property.at);
    return {};
}

// "115200", "115200,8n1" or <115200>.
Outcome<void> read_serial(const Property& property, S& target, Report&)
{
    static constexpr std::array<uint64_t, 8> rates{1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200};
    uint64_t baud = 0;
    if (is_text(property.value)) {
        const auto words = ATTEMPT(text(property.value));
        const auto parts = split(words, ',');
        baud = ATTEMPT(parse_number(trim(parts.front())));
        if (parts.size() > 2 || (parts.size() == 2 && trim(parts[1]) != "8n1"))
            return refuse("is ", Quoted{words}, "; such as \"115200,8n1\" is expected (only 8n1 is built)");
    } else {
        baud = ATTEMPT(number(property.value, 1, rates.back()));
    }
    if (std::find(rates.begin(), rates.end(), baud) == rates.end())
        return refuse("is ", baud, " baud; 1200, 2400, 4800, 9600, 19200, 38400, 57600 and 115200 are possible");
    target.baud.state(static_cast<uint32_t>(baud), property.at);
    return {};
}

Outcome<void> read_slot_health(const Property& property, S& target, Report&)
{
    constexpr uint64_t longest_s = 24 * 60 * 60;
    target.slot_health_s.state(static_cast<uint32_t>(ATTEMPT(number(property.value, 0, longest_s))), property.at);
    return {};
}

constexpr std::array root_fields{
    Field<S>{"compatible", read_compatible}, Field<S>{"model", read_model},
    Field<S>{"escape", read_escape},         Field<S>{"on_panic", read_on_panic},
    Field<S>{"payloads", read_payloads},     Field<S>{"serial", read_serial},
    Field<S>{"slot-health", read_slot_health},
};
constexpr std::array<std::string_view, 6> root_children{"machine", "networks", "partitions", "services",
                                                        "schedule", "shared-memory"};

CpuBound cpu_bound(const MachineModel& machine)
{
    if (machine.cpus.stated)
        return {machine.cpus.value, true};
    return {plan::max_cpus, false};
}

// A node may be written in several places; dtc merges them, unless one block has it twice.
void refuse_twins(const Node& node, Report& report)
{
    for (size_t i = 0; i < node.children.size(); ++i) {
        const auto& child = node.children[i];
        for (size_t j = 0; j < i; ++j) {
            if (node.children[j].name != child.name)
                continue;
            report.error(child.at, sentence("node ", Quoted{child.name}, " exists already, at ",
                                            to_text(node.children[j].at), "; names are unique"));
            break;
        }
        if (node.name.empty() && child.name != "partitions")
            refuse_twins(child, report);
    }
}

void read_partitions(const Node& node, S& system, Report& report)
{
    read_fields<S>(node, "partitions", {}, {}, system, report);
    for (const auto& child : node.children)
        system.partitions.push_back(read_partition(child, cpu_bound(system.machine), report));
}

}  // namespace

SystemModel read_system(const Node& root, const std::string& path, Report& report)
{
    const std::filesystem::path file(path);
    SystemModel system;
    system.at = root.at;
    system.file = file.filename();
    system.folder = file.has_parent_path() ? file.parent_path().string() : ".";
    system.model.value = file.stem().string().substr(0, longest_model);
    read_fields<S>(root, "the plan", root_fields, {}, system, report);
    check_children(root, "the plan", root_children, report);
    refuse_twins(root, report);
    if (root.property("compatible") == nullptr)
        report.error(root.at, sentence("the plan has no \"compatible\"; compatible = ",
                                       Quoted{plan_compatible}, " is required"));
    if (const Node* machine = root.child("machine"))
        read_machine(*machine, system.machine, report);
    if (const Node* networks = root.child("networks"))
        system.networks = read_networks(*networks, report);
    if (const Node* partitions = root.child("partitions"))
        read_partitions(*partitions, system, report);
    if (const Node* services = root.child("services"))
        system.services = read_services(*services, cpu_bound(system.machine), report);
    if (const Node* shared = root.child("shared-memory"))
        system.shared_memory = read_shared_memory(*shared, report);
    if (const Node* schedule = root.child("schedule"))
        read_schedule(*schedule, cpu_bound(system.machine), system, report);
    if (system.partitions.empty())
        report.error(root.at, "the plan has no partition; a node in partitions { } makes one");
    if (system.partitions.size() > most_partitions)
        report.error(system.partitions[most_partitions].at,
                     sentence("the plan has ", system.partitions.size(), " partitions; at most ", most_partitions,
                              " are possible beside the services"));
    return system;
}

}  // namespace bulkhead::tool
