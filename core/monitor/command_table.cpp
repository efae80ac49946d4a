// SPDX-License-Identifier: BSD-2-Clause
// Every command with what its words are, and the lists of names that words may mean.
#include "core/monitor/command.hpp"

#include "core/monitor/part_actions.hpp"
#include "core/partition.hpp"

#include <array>

namespace bulkhead {

namespace {

constexpr std::array command_table = std::to_array<Command>({
    {.name = "help", .arguments = "[COMMAND]", .summary = "what there is, or one command", .start = start_help,
     .first = WordKind::command, .words_at_most = 2},
    {.name = "parts", .arguments = "", .summary = "all partitions in a table", .start = start_parts},
    {.name = "part", .arguments = "NAME ACTION", .summary = "one partition: info and much more",
     .start = start_part, .first = WordKind::partition, .second = WordKind::part_action, .words_at_most = 5},
    {.name = "attach", .arguments = "NAME", .summary = "turn the terminal to a partition", .start = start_attach,
     .first = WordKind::partition, .words_at_most = 2},
    {.name = "cpus", .arguments = "", .summary = "CPUs: what they run, idle time, features", .start = start_cpus},
    {.name = "sched", .arguments = "", .summary = "vCPUs of each CPU: priority, budget, why they wait",
     .start = start_sched},
    {.name = "mem", .arguments = "", .summary = "who has which memory", .start = start_mem},
    {.name = "events", .arguments = "[NAME]", .summary = "event channels", .start = start_events,
     .first = WordKind::partition, .words_at_most = 2},
    {.name = "grants", .arguments = "[NAME]", .summary = "grant tables and mappings", .start = start_grants,
     .first = WordKind::partition, .words_at_most = 2},
    {.name = "store", .arguments = "[NAME]", .summary = "the store's clients, or what it holds for one",
     .start = start_store, .first = WordKind::partition, .words_at_most = 2},
    {.name = "exits", .arguments = "[NAME]", .summary = "hypercalls, emulations, and what was refused",
     .start = start_exits, .first = WordKind::partition, .words_at_most = 2},
    {.name = "irq", .arguments = "", .summary = "interrupts, by vector", .start = start_irq},
    {.name = "pci", .arguments = "", .summary = "PCI devices", .start = start_pci},
    {.name = "acpi", .arguments = "", .summary = "the firmware's tables", .start = start_acpi},
    {.name = "log", .arguments = "", .summary = "the core's log", .start = start_log},
    {.name = "trace", .arguments = "on|off|show", .summary = "record what CPUs do, show the last of it",
     .start = start_trace, .first = WordKind::trace_action, .words_at_most = 2},
    {.name = "slots", .arguments = "[use A|B]", .summary = "which image runs and which starts next",
     .start = start_slots, .words_at_most = 3},
#ifdef BULKHEAD_CHECKED
    {.name = "check", .arguments = "[N]", .summary = "check all frames every N operations", .start = start_check,
     .words_at_most = 2},
#endif
    {.name = "version", .arguments = "", .summary = "what runs here, and for how long", .start = start_version},
    {.name = "quit", .arguments = "", .summary = "back to the overview", .start = start_quit},
    {.name = "reboot", .arguments = "", .summary = "reset the box (in full only)", .start = start_reboot,
     .in_full = true},
    {.name = "poweroff", .arguments = "", .summary = "switch the box off (in full only)",
     .start = start_poweroff, .in_full = true},
});

constexpr std::array<std::string_view, 3> trace_actions{"on", "off", "show"};

}  // namespace

std::span<const Command> commands() { return command_table; }

NameList names_of(WordKind kind)
{
    switch (kind) {
    case WordKind::command:
        return {command_table.size(), [](size_t i) { return command_table[i].name; }};
    case WordKind::partition:
        return {all_partitions().size(), [](size_t i) { return std::string_view(all_partitions()[i].name()); }};
    case WordKind::part_action:
        return {part_actions().size(), [](size_t i) { return part_actions()[i].name; }};
    case WordKind::trace_action:
        return {trace_actions.size(), [](size_t i) { return trace_actions[i]; }};
    case WordKind::none:
        break;
    }
    return {0, nullptr};
}

Partition* find_named_partition(std::string_view command, std::string_view word, TextOut& out)
{
    const NameList names = names_of(WordKind::partition);
    const Match match = find_name(names, word);
    if (match.meaning == Meaning::one)
        return &all_partitions()[match.index];
    const auto number = parse_number(word);
    if (match.meaning == Meaning::none && number.has_value() && *number >= 1 && *number <= names.count)
        return &all_partitions()[*number - 1];
    put_no_match(names, word, match, command, "partition", out);
    return nullptr;
}

void start_for_partitions(CommandRun& run, const Words& words, TextOut& out, CommandStep step)
{
    run.one_partition = words.count > 1;
    if (run.one_partition)
        run.partition = find_named_partition(words[0], words[1], out);
    if (!run.one_partition || run.partition != nullptr)
        run.step = step;
}

Partition* chosen_partition(const CommandRun& run)
{
    if (run.one_partition)
        return run.item == 0 ? run.partition : nullptr;
    return run.item < all_partitions().size() ? &all_partitions()[run.item] : nullptr;
}

bool next_partition(CommandRun& run)
{
    run.inner = 0;
    run.shown = 0;
    ++run.item;
    return chosen_partition(run) != nullptr;
}

}  // namespace bulkhead
