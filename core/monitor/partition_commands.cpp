// SPDX-License-Identifier: BSD-2-Clause
// parts, and `part NAME ACTION`: finding partition and action, and the actions that only ask the
// life cycle for something.
#include "core/lifecycle.hpp"
#include "core/monitor/format.hpp"
#include "core/monitor/part_actions.hpp"
#include "core/partition.hpp"

#include <array>

namespace bulkhead {

namespace {

bool step_parts(CommandRun& run, TextOut& out)
{
    if (all_partitions().empty()) {
        out.put("The plan has no partitions.\n");
        return false;
    }
    if (run.item == 0)
        out.put(" #  name              state          vCPUs  CPUs      memory  lives    CPU time\n");
    const Partition& partition = all_partitions()[run.item++];
    const PartitionState state = partition.state.load(std::memory_order_relaxed);
    out.print("%2zu  %-16s  %-13s  %5zu  %-6s %9s  %5u  %10s\n", run.item, partition.name(), state_name(state),
              partition.vcpus.size(), cpus_text(partition).data(),
              memory_text(partition.plan->memory_frames << page_shift).data(), partition.health.starts,
              duration_text(cpu_time_ns(partition)).data());
    if (state == PartitionState::left_out && partition.reason != nullptr)
        out.print("    %.70s\n", partition.reason);
    return run.item < all_partitions().size();
}

// What the life cycle answers is a sentence, or nothing if it will do it.
void request(const char* (*ask)(Partition&), const char* done, const CommandRun& run, TextOut& out)
{
    const char* refusal = ask(*run.partition);
    if (refusal != nullptr)
        out.print("%s: %s\n", run.partition->name(), refusal);
    else
        out.print("%s: %s\n", run.partition->name(), done);
}

void start_start(CommandRun& run, const Words&, TextOut& out) { request(request_start, "will start.", run, out); }
void start_stop(CommandRun& run, const Words&, TextOut& out)
{
    request(request_stop, "is being stopped; its memory is lost.", run, out);
}
void start_restart(CommandRun& run, const Words&, TextOut& out)
{
    request(request_restart, "is being restarted from its image.", run, out);
}
void start_kill(CommandRun& run, const Words&, TextOut& out)
{
    request(request_kill, "crashes now; its on_crash says what follows.", run, out);
}
void start_pause(CommandRun& run, const Words&, TextOut& out)
{
    request(request_pause, "is being paused; `resume` lets it go on.", run, out);
}
void start_resume(CommandRun& run, const Words&, TextOut& out) { request(request_resume, "goes on.", run, out); }

constexpr std::array actions = std::to_array<PartAction>({
    {"info", "", "state, plan, vCPUs, lives", start_part_info},
    {"log", "", "all of its log that is kept", start_part_log},
    {"regs", "[VCPU]", "registers; stops each vCPU for a moment", start_part_regs, 4},
    {"bt", "[VCPU]", "its kernel's calls, as its stack shows them", start_part_backtrace, 4},
    {"dump", "ADDR [LEN]", "memory at a virtual address", start_part_dump, 5},
    {"start", "", "start it from its image", start_start},
    {"stop", "", "end it at once", start_stop},
    {"restart", "", "end it and start it from its image", start_restart},
    {"kill", "", "crash it: on_crash follows", start_kill},
    {"pause", "", "let none of its vCPUs run", start_pause},
    {"resume", "", "end a pause", start_resume},
});

}  // namespace

std::span<const PartAction> part_actions() { return actions; }

void start_parts(CommandRun& run, const Words&, TextOut&) { run.step = step_parts; }

void start_part(CommandRun& run, const Words& words, TextOut& out)
{
    if (words.count < 2) {
        out.put("part: which partition? There are: ");
        put_names(names_of(WordKind::partition), {}, "and", out);
        out.put(".\n");
        return;
    }
    run.partition = find_named_partition(words[0], words[1], out);
    if (run.partition == nullptr)
        return;
    const NameList names = names_of(WordKind::part_action);
    if (words.count < 3) {
        start_part_info(run, words, out);
        return;
    }
    const Match match = find_name(names, words[2]);
    if (match.meaning != Meaning::one) {
        put_no_match(names, words[2], match, words[0], "action", out);
        return;
    }
    const PartAction& action = actions[match.index];
    if (words.count > action.words_at_most) {
        out.print("part: too many words; it is used as: part NAME %s%s%s\n", action.name.data(),
                  action.arguments.empty() ? "" : " ", action.arguments.data());
        return;
    }
    action.start(run, words, out);
}

}  // namespace bulkhead
