// SPDX-License-Identifier: BSD-2-Clause
// A command of the monitor: its start checks the words and either answers at once or names the step
// that makes the output, a few lines a call, until it says that it is done. Between two steps
// partitions run and things change; a step keeps numbers, never pointers into what may vanish.
#pragma once

#include "core/console/sanitizer.hpp"
#include "core/console/text_log.hpp"
#include "core/console/text_out.hpp"
#include "core/guest_paging.hpp"
#include "core/monitor/words.hpp"
#include "core/types.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace bulkhead {

struct ConsoleSource;
struct Partition;
struct CommandRun;

// Puts at most step_bytes and looks at a bounded number of things. False: done.
using CommandStep = bool (*)(CommandRun& run, TextOut& out);
inline constexpr size_t step_bytes = 1000;

// What a command keeps between two steps; all zero at its start.
struct CommandRun {
    CommandStep step = nullptr;            // null: no command runs
    void (*give_up)(CommandRun& run) = nullptr;   // undoes what a step left half done
    bool waiting = false;                  // nothing to show yet: ask again in a moment
    Partition* partition = nullptr;
    ConsoleSource* source = nullptr;
    size_t item = 0;                       // outer and inner position
    size_t inner = 0;
    uint64_t shown = 0;
    uint64_t address = 0;
    uint64_t end = 0;
    GuestPaging paging{};                  // of the hardware vCPU that is looked at
    bool one_partition = false;
    LogCursor cursor;
    Sanitizer sanitizer;
};

enum class WordKind : uint8_t { none, command, partition, part_action, trace_action };

struct Command {
    std::string_view name;
    std::string_view arguments;            // as the help shows them
    std::string_view summary;
    void (*start)(CommandRun& run, const Words& words, TextOut& out);
    WordKind first = WordKind::none;
    WordKind second = WordKind::none;
    size_t words_at_most = 1;              // itself included
    bool in_full = false;                  // no abbreviation: it ends everything
};

[[nodiscard]] std::span<const Command> commands();
[[nodiscard]] NameList names_of(WordKind kind);

// The partition that a word names, by name, beginning or number; null after a sentence.
[[nodiscard]] Partition* find_named_partition(std::string_view command, std::string_view word, TextOut& out);
// For `events [NAME]` and its kin: the step is done for the named partition, or for one after the other;
// a sentence if there is none of that name.
void start_for_partitions(CommandRun& run, const Words& words, TextOut& out, CommandStep step);
// Whose turn it is; null when there are no more.
[[nodiscard]] Partition* chosen_partition(const CommandRun& run);
// From there to the next, with nothing of it shown yet. False: there are no more.
[[nodiscard]] bool next_partition(CommandRun& run);

void start_help(CommandRun&, const Words&, TextOut&);         // help_command.cpp
void start_attach(CommandRun&, const Words&, TextOut&);       // console_commands.cpp
void start_quit(CommandRun&, const Words&, TextOut&);
void start_log(CommandRun&, const Words&, TextOut&);
void start_part_log(CommandRun&, const Words&, TextOut&);
void start_parts(CommandRun&, const Words&, TextOut&);        // partition_commands.cpp
void start_part(CommandRun&, const Words&, TextOut&);
void start_part_info(CommandRun&, const Words&, TextOut&);    // partition_info.cpp
void start_part_regs(CommandRun&, const Words&, TextOut&);    // vcpu_commands.cpp
void start_part_backtrace(CommandRun&, const Words&, TextOut&);
void start_part_dump(CommandRun&, const Words&, TextOut&);    // dump_command.cpp
void start_cpus(CommandRun&, const Words&, TextOut&);         // cpu_commands.cpp
void start_sched(CommandRun&, const Words&, TextOut&);
void start_mem(CommandRun&, const Words&, TextOut&);          // memory_command.cpp
void start_events(CommandRun&, const Words&, TextOut&);       // events_command.cpp
void start_grants(CommandRun&, const Words&, TextOut&);       // grants_command.cpp
void start_store(CommandRun&, const Words&, TextOut&);        // store_command.cpp
void start_exits(CommandRun&, const Words&, TextOut&);        // exits_command.cpp
void start_irq(CommandRun&, const Words&, TextOut&);          // machine_commands.cpp
void start_pci(CommandRun&, const Words&, TextOut&);          // pci_command.cpp
void start_acpi(CommandRun&, const Words&, TextOut&);
void start_version(CommandRun&, const Words&, TextOut&);
void start_reboot(CommandRun&, const Words&, TextOut&);
void start_poweroff(CommandRun&, const Words&, TextOut&);
void start_slots(CommandRun&, const Words&, TextOut&);        // slots_command.cpp
void start_trace(CommandRun&, const Words&, TextOut&);        // trace_command.cpp
void start_check(CommandRun&, const Words&, TextOut&);        // check_command.cpp

}  // namespace bulkhead
