// SPDX-License-Identifier: BSD-2-Clause
// help: the table of commands, or one of them.
#include "core/monitor/command.hpp"
#include "core/monitor/part_actions.hpp"

namespace bulkhead {

namespace {

bool step_help(CommandRun& run, TextOut& out)
{
    if (run.item < commands().size()) {
        const Command& command = commands()[run.item++];
        out.print("  %-8s %-12s  %s\n", command.name.data(), command.arguments.data(), command.summary.data());
        return true;
    }
    out.put("A command or name may be cut off where it stays clear; Ctrl-C stops long output.\n"
            "`help part` lists what can be done with a partition.\n");
    return false;
}

bool step_help_part(CommandRun& run, TextOut& out)
{
    if (run.item == 0)
        out.put("part NAME ACTION, where NAME is a partition's name or number, and ACTION one of:\n");
    const PartAction& action = part_actions()[run.item++];
    out.print("  %-8s %-12s  %s\n", action.name.data(), action.arguments.data(), action.summary.data());
    return run.item < part_actions().size();
}

}  // namespace

void start_help(CommandRun& run, const Words& words, TextOut& out)
{
    if (words.count == 1) {
        run.step = step_help;
        return;
    }
    const NameList names = names_of(WordKind::command);
    const Match match = find_name(names, words[1]);
    if (match.meaning != Meaning::one) {
        put_no_match(names, words[1], match, words[0], "command", out);
        return;
    }
    const Command& command = commands()[match.index];
    if (command.name == "part") {
        run.step = step_help_part;
        return;
    }
    out.print("%s%s%s: %s\n", command.name.data(), command.arguments.empty() ? "" : " ", command.arguments.data(),
              command.summary.data());
}

}  // namespace bulkhead
